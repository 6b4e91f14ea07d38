"""The domain's answers as OpenAI's text completion objects. Pure: no request, no clock, no I/O."""

from collections.abc import Iterator, Sequence
from typing import Literal, NotRequired, assert_never

from pydantic_core import to_json
from typing_extensions import TypedDict

from cortex_domain.choice_ranking import best_choices
from cortex_domain.events import (
    ChoiceFinished,
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    PrefillProgress,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.generation import Choice, FinishReason, GenerationResult
from cortex_domain.token_logprobs import TokenLogprob
from cortex_entrypoints.http.openai.chat_objects import LAST_FRAME, Usage, usage_object
from cortex_entrypoints.http.openai.logprob_objects import CompletionLogprobs, CompletionLogprobsWriter

CompletionFinishReason = Literal["stop", "length"]


class TextChoice(TypedDict):
    """One completion, or the next piece of one."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: CompletionFinishReason | None


class CompletionObject(TypedDict):
    """Completions, or a piece of one. `warnings` is an addition: what was done otherwise than asked."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: NotRequired[Usage | None]
    warnings: NotRequired[list[str]]


class CompletionForm:
    """How the completions of one request are told.

    Args:
        completions: How many are told, those of all prompts.
        echoes: Whether they begin with their prompts.
        drawn: How many completions of each prompt are drawn.
        returned: How many of them are told, the most probable if not all.
        tells_tokens: Whether tokens are told.
        wants_usage: Whether a stream ends with the usage.
        warnings: What the dialect does otherwise than asked.
    """

    def __init__(
        self,
        *,
        completions: int,
        echoes: bool,
        drawn: int,
        returned: int,
        tells_tokens: bool,
        wants_usage: bool,
        warnings: Sequence[str],
    ) -> None:
        self.completions = completions
        self.warnings = warnings
        self.wants_usage = wants_usage
        self._drawn = drawn
        self._returned = returned
        writers = [CompletionLogprobsWriter(begins_text=echoes) for _ in range(completions)]
        self._writers = writers if tells_tokens else None

    def whole(self, result: GenerationResult) -> CompletionObject:
        """Builds the completions in one piece."""
        completion = CompletionObject(
            id=result.generation_id,
            object="text_completion",
            created=result.created_s,
            model=result.model,
            choices=[
                TextChoice(
                    index=index,
                    text=choice.text,
                    logprobs=self.logprobs(index, choice.logprobs),
                    finish_reason=_finish_reason(choice.finish_reason),
                )
                for index, choice in enumerate(self._returned_of(result.choices))
            ],
            usage=usage_object(result.usage),
        )
        if warnings := [*result.warnings, *self.warnings]:
            completion["warnings"] = warnings
        return completion

    def logprobs(self, index: int, tokens: Sequence[TokenLogprob]) -> CompletionLogprobs | None:
        """Builds the log-probabilities of a completion's next tokens; None when they are not told."""
        return None if self._writers is None else self._writers[index].write(tokens)

    def _returned_of(self, choices: Sequence[Choice]) -> list[Choice]:
        of_prompts = [choices[first : first + self._drawn] for first in range(0, len(choices), self._drawn)]
        return [best for drawn in of_prompts for best in best_choices(drawn, self._returned)]


class CompletionChunks:
    """Turns the events of a request's completions into frames of `text_completion`."""

    def __init__(self, form: CompletionForm) -> None:
        self._form = form
        self._started: GenerationStarted

    def encode(self, event: GenerationEvent, /) -> bytes:
        """Encodes the next event; the last one ends the stream."""
        return b"".join(self._frames(event))

    def _frames(self, event: GenerationEvent) -> Iterator[bytes]:
        match event:
            case GenerationStarted():
                self._started = event
                if warnings := [*event.warnings, *self._form.warnings]:
                    yield _data({**self._chunk([_piece(0, "")]), "warnings": warnings})
            case PrefillProgress():
                # A comment, which clients skip: it keeps the connection from looking dead while a long prompt is read.
                yield b": prompt %d of %d tokens\n\n" % (event.processed_tokens, event.total_tokens)
            case TextDelta():
                yield _data(self._chunk([self._piece(event.choice, event.text, event.logprobs)]))
            case ReasoningDelta() | ToolCallDelta() | ToolCallFinished():
                pass  # no text that is only continued has them
            case ChoiceFinished():
                yield self._ending(event.choice, event.finish_reason)
            case GenerationFinished():
                if self._form.completions == 1:
                    yield self._ending(0, event.finish_reason)
                if self._form.wants_usage:
                    yield _data({**self._chunk([]), "usage": usage_object(event.usage)})
                yield LAST_FRAME
            case _:
                assert_never(event)

    def _piece(self, index: int, text: str, tokens: Sequence[TokenLogprob]) -> TextChoice:
        return {**_piece(index, text), "logprobs": self._form.logprobs(index, tokens)}

    def _ending(self, index: int, reason: FinishReason) -> bytes:
        return _data(self._chunk([{**_piece(index, ""), "finish_reason": _finish_reason(reason)}]))

    def _chunk(self, choices: list[TextChoice]) -> CompletionObject:
        chunk = CompletionObject(
            id=self._started.generation_id,
            object="text_completion",
            created=self._started.created_s,
            model=self._started.model,
            choices=choices,
        )
        if self._form.wants_usage:
            chunk["usage"] = None
        return chunk


def _piece(index: int, text: str) -> TextChoice:
    return TextChoice(index=index, text=text, logprobs=None, finish_reason=None)


def _finish_reason(reason: FinishReason) -> CompletionFinishReason:
    return "length" if reason is FinishReason.LENGTH else "stop"


def _data(chunk: object) -> bytes:
    return b"data: %b\n\n" % to_json(chunk)
