"""The rules of an event stream, and what a whole stream adds up to.

A generation is `GenerationStarted`, any number of `PrefillProgress`, any number of `ReasoningDelta` and `TextDelta`,
`GenerationFinished`. When several answers were asked for, each ends with a `ChoiceFinished`, and the deltas of all come
interleaved. A pull is `PullStarted`, any number of `PullProgress`, `PullFinished`. A stream that fails raises instead
of finishing.
Tool calls stand among the deltas, by the rules of `cortex_domain.tool_call_rules`.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import TypeVar, assert_never

from cortex_domain.events import (
    ChoiceFinished,
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    PrefillProgress,
    PullEvent,
    PullFinished,
    PullProgress,
    PullStarted,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.generation import Choice, GenerationResult
from cortex_domain.stream_violations import require
from cortex_domain.token_logprobs import TokenLogprob
from cortex_domain.tool_call_rules import ToolCallRules

EventT = TypeVar("EventT")


class GenerationRules:
    """Follows one generation and raises at the first event that breaks the order.

    Raises:
        ContractViolationError: From `accept` for an event out of place, from `close` for a stream that just stopped.
    """

    def __init__(self) -> None:
        self.started: GenerationStarted | None = None
        self.finished: GenerationFinished | None = None
        self._texts: defaultdict[int, list[str]] = defaultdict(list)
        self._reasonings: defaultdict[int, list[str]] = defaultdict(list)
        self._logprobs: defaultdict[int, list[TokenLogprob]] = defaultdict(list)
        self._calls: defaultdict[int, ToolCallRules] = defaultdict(ToolCallRules)
        self._endings: dict[int, ChoiceFinished] = {}
        self._processed_tokens = 0

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All answers, once they are complete."""
        return tuple(
            Choice(
                text="".join(self._texts[choice]),
                reasoning="".join(self._reasonings[choice]),
                finish_reason=ending.finish_reason,
                stop_text=ending.stop_text,
                logprobs=tuple(self._logprobs[choice]),
                tool_calls=self._calls[choice].calls,
                detail=ending.detail,
            )
            for choice, ending in sorted(self._endings.items(), key=lambda item: item[0])
        )

    def accept(self, event: GenerationEvent, /) -> None:
        """Takes the next event."""
        require(self.finished is None, f"{event.type!r} came after 'done'")
        is_first = isinstance(event, GenerationStarted)
        require(is_first == (self.started is None), f"{event.type!r} is out of place: 'started' comes first and once")
        match event:
            case GenerationStarted():
                self.started = event
            case PrefillProgress():
                self._accept_progress(event)
            case TextDelta():
                self._accept_text(event)
            case ReasoningDelta():
                self._accept_reasoning(event)
            case ToolCallDelta():
                self._require_open(event)
                self._calls[event.choice].accept_delta(event)
            case ToolCallFinished():
                self._require_open(event)
                self._calls[event.choice].accept_end(event)
            case ChoiceFinished():
                self._accept_choice_end(event)
            case GenerationFinished():
                self._accept_end(event)
            case _:
                assert_never(event)

    def close(self) -> None:
        """Takes the end of the stream."""
        require(self.finished is not None, "the stream ended without 'done'")

    def _accept_progress(self, event: PrefillProgress) -> None:
        require(not (self._said or self._endings), "'prefill_progress' came after the first delta")
        within = self._processed_tokens <= event.processed_tokens <= event.total_tokens
        require(within, "'prefill_progress' shrank or passed its total")
        self._processed_tokens = event.processed_tokens

    def _accept_text(self, event: TextDelta) -> None:
        require(bool(event.text or event.logprobs), "a 'text_delta' is empty")
        self._require_open(event)
        self._texts[event.choice].append(event.text)
        self._logprobs[event.choice] += event.logprobs
        self._calls[event.choice].accept_text()

    def _accept_reasoning(self, event: ReasoningDelta) -> None:
        require(bool(event.text), "a 'reasoning_delta' is empty")
        self._require_open(event)
        self._reasonings[event.choice].append(event.text)

    @property
    def _said(self) -> set[int]:
        """The choices of which there is anything."""
        return {*self._texts, *self._reasonings, *self._calls}

    def _accept_choice_end(self, event: ChoiceFinished) -> None:
        self._require_open(event)
        self._calls[event.choice].close(event.finish_reason, event.detail)
        self._endings[event.choice] = event

    def _require_open(
        self, event: TextDelta | ReasoningDelta | ToolCallDelta | ToolCallFinished | ChoiceFinished
    ) -> None:
        require(event.choice >= 0, f"{event.type!r} has a choice below 0")
        require(event.choice not in self._endings, f"{event.type!r} came after the choice's 'choice_done'")

    def _accept_end(self, event: GenerationFinished) -> None:
        first = ChoiceFinished(
            choice=0, finish_reason=event.finish_reason, stop_text=event.stop_text, detail=event.detail
        )
        if not self._endings:
            self._accept_choice_end(first)
        endings = self._endings
        require(endings.get(0) == first, "'done' does not end as the first choice did")
        require(max(endings) < len(endings), "a choice between others has no 'choice_done'")
        require(self._said <= endings.keys(), "'done' came before the 'choice_done' of a choice")
        self.finished = event


class PullRules:
    """Follows one pull and raises at the first event that breaks the order.

    Raises:
        ContractViolationError: From `accept` for an event out of place, from `close` for a stream that just stopped.
    """

    def __init__(self) -> None:
        self.started: PullStarted | None = None
        self.finished: PullFinished | None = None
        self._completed_bytes = 0

    def accept(self, event: PullEvent, /) -> None:
        """Takes the next event."""
        require(self.finished is None, f"{event.type!r} came after 'done'")
        is_first = isinstance(event, PullStarted)
        require(is_first == (self.started is None), f"{event.type!r} is out of place: 'started' comes first and once")
        match event:
            case PullStarted():
                self.started = event
            case PullProgress():
                within = self._completed_bytes <= event.completed_bytes <= event.total_bytes
                require(within, "'progress' shrank or passed its total")
                self._completed_bytes = event.completed_bytes
            case PullFinished():
                self.finished = event
            case _:
                assert_never(event)

    def close(self) -> None:
        """Takes the end of the stream."""
        require(self.finished is not None, "the stream ended without 'done'")


async def collect(events: AsyncIterator[GenerationEvent], /) -> GenerationResult:
    """Reads a generation to its end and adds it up.

    Raises:
        ContractViolationError: The stream broke its rules.
        CortexError: Whatever the stream itself raises.
    """
    rules = GenerationRules()
    await _follow(events, rules.accept)
    rules.close()
    assert rules.started is not None
    assert rules.finished is not None
    return GenerationResult(
        generation_id=rules.started.generation_id,
        model=rules.started.model,
        created_s=rules.started.created_s,
        text=rules.choices[0].text,
        finish_reason=rules.finished.finish_reason,
        choices=rules.choices,
        usage=rules.finished.usage,
        timings=rules.finished.timings,
        warnings=rules.started.warnings,
    )


async def collect_pull(events: AsyncIterator[PullEvent], /) -> PullFinished:
    """Reads a pull to its end and returns its last event.

    Raises:
        ContractViolationError: The stream broke its rules.
        CortexError: Whatever the stream itself raises.
    """
    rules = PullRules()
    await _follow(events, rules.accept)
    rules.close()
    assert rules.finished is not None
    return rules.finished


async def _follow(events: AsyncIterator[EventT], accept: Callable[[EventT], None]) -> None:
    async for event in events:
        accept(event)
