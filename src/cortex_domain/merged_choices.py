"""Makes one generation of several: the answers to one request, each of which an adapter generates like a request."""

from dataclasses import replace

from cortex_domain.events import (
    ChoiceFinished,
    GenerationEvent,
    GenerationFinished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)


class MergedChoices:
    """Takes the events of each answer, whole streams of their own, and tells those of the generation.

    The prompt is told of once, as the first answer does.

    Args:
        n: How many answers there are, at least 2.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._has_begun = False
        self._endings: dict[int, GenerationFinished] = {}

    def take(self, choice: int, event: GenerationEvent, /) -> tuple[GenerationEvent, ...]:
        """Takes the next event of an answer and returns what it means for the generation."""
        match event:
            case TextDelta() | ReasoningDelta() | ToolCallDelta() | ToolCallFinished():
                self._has_begun = True
                return (replace(event, choice=choice),)
            case GenerationFinished():
                return self._end(choice, event)
            case _:
                # An answer may have begun while the first is read once more, by an engine that takes over.
                is_news = choice == 0 and not (self._has_begun or self._endings)
                return (event,) if is_news else ()

    def _end(self, choice: int, event: GenerationFinished) -> tuple[GenerationEvent, ...]:
        self._endings[choice] = event
        finished = ChoiceFinished(
            choice=choice, finish_reason=event.finish_reason, stop_text=event.stop_text, detail=event.detail
        )
        return (finished,) if len(self._endings) < self._n else (finished, self._whole())

    def _whole(self) -> GenerationFinished:
        first = self._endings[0]
        usages = [ending.usage for ending in self._endings.values()]
        whole = replace(
            first.usage,
            completion_tokens=sum(usage.completion_tokens for usage in usages),
            reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
        )
        return replace(first, usage=whole)
