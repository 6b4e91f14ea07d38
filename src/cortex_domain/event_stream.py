"""The rules of an event stream, and what a whole stream adds up to.

A generation is `GenerationStarted`, any number of `PrefillProgress`, any number of `ReasoningDelta` and `TextDelta`,
`GenerationFinished`. When several answers were asked for, each ends with a `ChoiceFinished`, and the deltas of all come
interleaved. A pull is `PullStarted`, any number of `PullProgress`, `PullFinished`. A stream that fails raises instead
of finishing.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import TypeVar, assert_never

from cortex_domain.errors import ContractViolationError
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
)
from cortex_domain.generation import Choice, FinishReason, GenerationResult
from cortex_domain.token_logprobs import TokenLogprob

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
        self._endings: dict[int, ChoiceFinished | GenerationFinished] = {}
        self._processed_tokens = 0

    @property
    def texts(self) -> list[str]:
        """Pieces of the first answer so far."""
        return self._texts[0]

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
            )
            for choice, ending in sorted(self._endings.items(), key=lambda item: item[0])
        )

    def accept(self, event: GenerationEvent, /) -> None:
        """Takes the next event."""
        _require(self.finished is None, f"{event.type!r} came after 'done'")
        is_first = isinstance(event, GenerationStarted)
        _require(is_first == (self.started is None), f"{event.type!r} is out of place: 'started' comes first and once")
        match event:
            case GenerationStarted():
                self.started = event
            case PrefillProgress():
                self._accept_progress(event)
            case TextDelta():
                self._accept_text(event)
            case ReasoningDelta():
                self._accept_reasoning(event)
            case ChoiceFinished():
                self._require_open(event)
                self._endings[event.choice] = event
            case GenerationFinished():
                self._accept_end(event)
            case _:
                assert_never(event)

    def close(self) -> None:
        """Takes the end of the stream."""
        _require(self.finished is not None, "the stream ended without 'done'")

    def _accept_progress(self, event: PrefillProgress) -> None:
        _require(not (self._said or self._endings), "'prefill_progress' came after the first delta")
        within = self._processed_tokens <= event.processed_tokens <= event.total_tokens
        _require(within, "'prefill_progress' shrank or passed its total")
        self._processed_tokens = event.processed_tokens

    def _accept_text(self, event: TextDelta) -> None:
        _require(bool(event.text or event.logprobs), "a 'text_delta' is empty")
        self._require_open(event)
        self._texts[event.choice].append(event.text)
        self._logprobs[event.choice] += event.logprobs

    def _accept_reasoning(self, event: ReasoningDelta) -> None:
        _require(bool(event.text), "a 'reasoning_delta' is empty")
        self._require_open(event)
        self._reasonings[event.choice].append(event.text)

    @property
    def _said(self) -> set[int]:
        """The choices of which there is anything."""
        return {choice for pieces in (self._texts, self._reasonings) for choice, said in pieces.items() if said}

    def _require_open(self, event: TextDelta | ReasoningDelta | ChoiceFinished) -> None:
        _require(event.choice >= 0, f"{event.type!r} has a choice below 0")
        _require(event.choice not in self._endings, f"{event.type!r} came after the choice's 'choice_done'")

    def _accept_end(self, event: GenerationFinished) -> None:
        endings = self._endings = self._endings or {0: event}
        is_first = 0 in endings and _ending_facts(endings[0]) == _ending_facts(event)
        _require(is_first, "'done' has not the finish_reason and stop_text of the first choice")
        _require(max(endings) < len(endings), "a choice between others has no 'choice_done'")
        _require(self._said <= endings.keys(), "'done' came before the 'choice_done' of a choice")
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
        _require(self.finished is None, f"{event.type!r} came after 'done'")
        is_first = isinstance(event, PullStarted)
        _require(is_first == (self.started is None), f"{event.type!r} is out of place: 'started' comes first and once")
        match event:
            case PullStarted():
                self.started = event
            case PullProgress():
                within = self._completed_bytes <= event.completed_bytes <= event.total_bytes
                _require(within, "'progress' shrank or passed its total")
                self._completed_bytes = event.completed_bytes
            case PullFinished():
                self.finished = event
            case _:
                assert_never(event)

    def close(self) -> None:
        """Takes the end of the stream."""
        _require(self.finished is not None, "the stream ended without 'done'")


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
        text="".join(rules.texts),
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


def _ending_facts(event: ChoiceFinished | GenerationFinished) -> tuple[FinishReason, str | None]:
    return event.finish_reason, event.stop_text


async def _follow(events: AsyncIterator[EventT], accept: Callable[[EventT], None]) -> None:
    async for event in events:
        accept(event)


def _require(holds: bool, violation: str) -> None:
    if not holds:
        raise ContractViolationError(f"The adapter broke its event stream: {violation}.")
