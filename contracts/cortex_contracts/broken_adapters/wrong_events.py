"""Text generators that tell something else than happened, or at another time."""

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from cortex_contracts.broken_adapters.passing_text_generator import EventStream, PassingTextGenerator
from cortex_domain.events import (
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    PrefillProgress,
    ReasoningDelta,
    TextDelta,
)
from cortex_domain.generation import FinishReason, GenerationRequest, SamplingParameters
from cortex_domain.ports import TextGenerator

Alter = Callable[[GenerationRequest, GenerationEvent], tuple[GenerationEvent, ...]]


class Altering(PassingTextGenerator):
    """Turns each event into others."""

    def __init__(self, inner: TextGenerator, alter: Alter) -> None:
        super().__init__(inner)
        self._alter = alter

    async def _tell(self, request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        async for event in events:
            for altered in self._alter(request, event):
                yield altered


def reports_before_starting(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Tells of progress before it has started."""
    if isinstance(event, GenerationStarted):
        return PrefillProgress(processed_tokens=0, total_tokens=event.prompt_tokens), event
    return (event,)


def names_another_request(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Gives every answer the same id."""
    return (replace(event, generation_id="gen_0") if isinstance(event, GenerationStarted) else event,)


def miscounts_prefill(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Counts one token too many in the prompt while it works on it."""
    if isinstance(event, PrefillProgress):
        return (replace(event, total_tokens=event.total_tokens + 1),)
    return (event,)


def miscounts_prompt(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Counts one token too many in the prompt when it is done."""
    if isinstance(event, GenerationFinished):
        return (replace(event, usage=replace(event.usage, prompt_tokens=event.usage.prompt_tokens + 1)),)
    return (event,)


def waits_less_than_nothing(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Tells of a wait that was negative."""
    if isinstance(event, GenerationFinished):
        return (replace(event, timings=replace(event.timings, queue_ms=-1.0)),)
    return (event,)


def splits_characters(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Decodes byte by byte."""
    if isinstance(event, TextDelta):
        texts = [bytes([byte]).decode(errors="replace") for byte in event.text.encode()]
        told = [event.logprobs, *[()] * len(texts)]
        return tuple(replace(event, text=text, logprobs=tokens) for text, tokens in zip(texts, told, strict=False))
    return (event,)


def tells_tokens_twice(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Tells the tokens of a text before it, and with it again."""
    if isinstance(event, TextDelta) and event.logprobs:
        return replace(event, text=""), event
    return (event,)


def ranks_backwards(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Tells the least probable alternative first."""
    if isinstance(event, TextDelta):
        return (replace(event, logprobs=tuple(replace(token, top=token.top[::-1]) for token in event.logprobs)),)
    return (event,)


def thinks_aloud(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Says what it thinks."""
    return (TextDelta(text=event.text) if isinstance(event, ReasoningDelta) else event,)


def counts_no_thoughts(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Leaves the reasoning out of its count."""
    if isinstance(event, GenerationFinished):
        return (replace(event, usage=replace(event.usage, reasoning_tokens=0)),)
    return (event,)


def says_the_stop_text(request: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Ends with the text that should have ended it."""
    if isinstance(event, GenerationFinished) and event.finish_reason is FinishReason.STOP and request.stop:
        return TextDelta(text=request.stop[-1]), event
    return (event,)


def hides_the_stop_text(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Does not tell which stop text ended an answer."""
    return (replace(event, stop_text=None) if isinstance(event, GenerationFinished) else event,)


def going_on_when(applies: Callable[[SamplingParameters], bool]) -> Alter:
    """Builds one that adds a word, never the same, to the answers to which this applies."""
    words = (TextDelta(text=f" {number}") for number in itertools.count())

    def go_on(request: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
        if isinstance(event, GenerationFinished) and applies(request.sampling):
            return next(words), event
        return (event,)

    return go_on


class Holding(PassingTextGenerator):
    """Holds events of some kinds back until one of another kind comes."""

    def __init__(self, inner: TextGenerator, *held: type[GenerationEvent]) -> None:
        super().__init__(inner)
        self._held = held

    async def _tell(self, _request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        held: list[GenerationEvent] = []
        async for event in events:
            held.append(event)
            if not isinstance(event, self._held):
                for released in held:
                    yield released
                held.clear()


class LosesHeldText(PassingTextGenerator):
    """Holds one delta back in case it begins a stop text, and forgets it when the answer is cut."""

    async def _tell(self, request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        held: GenerationEvent | None = None
        async for event in events:
            is_lost = isinstance(event, GenerationFinished) and event.finish_reason is FinishReason.LENGTH
            if held is not None and not is_lost:
                yield held
            held = event if request.stop and isinstance(event, TextDelta) else None
            if held is None:
                yield event
