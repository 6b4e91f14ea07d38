from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import ContractViolationError
from cortex_domain.event_stream import GenerationRules, PullRules, collect, collect_pull
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
from cortex_domain.generation import Choice, FinishReason, GenerationResult, GenerationTimings, TokenUsage
from cortex_domain.language_models import ModelId
from cortex_domain.token_logprobs import TokenLogprob

EventT = TypeVar("EventT")

MODEL = ModelId("a/b")
STARTED = GenerationStarted(generation_id="gen_1", model=MODEL, created_s=7, prompt_tokens=9, warnings=("Mind.",))
USAGE = TokenUsage(prompt_tokens=9, completion_tokens=2)
TIMINGS = GenerationTimings(queue_ms=1, prefill_ms=2, time_to_first_token_ms=3, tokens_per_second=4)
FINISHED = GenerationFinished(finish_reason=FinishReason.STOP, usage=USAGE, timings=TIMINGS)
PULL_STARTED = PullStarted(model=MODEL, revision="abc", total_bytes=9)
PULL_FINISHED = PullFinished(model=MODEL, revision="abc", size_bytes=9)


def prefill(processed_tokens: int, total_tokens: int = 9) -> PrefillProgress:
    return PrefillProgress(processed_tokens=processed_tokens, total_tokens=total_tokens)


def pulled(completed_bytes: int) -> PullProgress:
    return PullProgress(completed_bytes=completed_bytes, total_bytes=9)


async def stream(events: Iterable[EventT]) -> AsyncIterator[EventT]:
    for event in events:
        yield event


def breaks_generation_rules(events: Sequence[GenerationEvent]) -> bool:
    rules = GenerationRules()
    try:
        for event in events:
            rules.accept(event)
        rules.close()
    except ContractViolationError:
        return True
    return False


def breaks_pull_rules(events: Sequence[PullEvent]) -> bool:
    rules = PullRules()
    try:
        for event in events:
            rules.accept(event)
        rules.close()
    except ContractViolationError:
        return True
    return False


def grows(numbers: Sequence[int]) -> bool:
    return all(0 <= number <= 9 for number in numbers) and list(numbers) == sorted(numbers)


@given(st.lists(st.integers(0, 9)).map(sorted), st.lists(st.text(min_size=1)))
async def test_legal_generations_add_up(progress: list[int], texts: list[str]) -> None:
    events: list[GenerationEvent] = [
        STARTED,
        *map(prefill, progress),
        *(TextDelta(text=text) for text in texts),
        FINISHED,
    ]
    assert await collect(stream(events)) == GenerationResult(
        generation_id="gen_1",
        model=MODEL,
        created_s=7,
        text="".join(texts),
        finish_reason=FinishReason.STOP,
        choices=(Choice(text="".join(texts), finish_reason=FinishReason.STOP),),
        usage=USAGE,
        timings=TIMINGS,
        warnings=("Mind.",),
    )


@given(st.lists(st.sampled_from([STARTED, prefill(3), prefill(5), TextDelta(text="x"), FINISHED]), max_size=6))
def test_generations_are_legal_in_one_order_only(events: list[GenerationEvent]) -> None:
    ranks = {GenerationStarted: 0, PrefillProgress: 1, TextDelta: 2, GenerationFinished: 3}
    order = [ranks[type(event)] for event in events]
    is_framed = order[:1] == [0] and order[-1:] == [3] and order.count(0) == order.count(3) == 1
    is_sorted = order == sorted(order)
    progress = [event.processed_tokens for event in events if isinstance(event, PrefillProgress)]
    assert breaks_generation_rules(events) == (not (is_framed and is_sorted and grows(progress)))


@pytest.mark.parametrize(
    "middle",
    [
        [TextDelta(text="")],
        [ReasoningDelta(text="")],
        [ReasoningDelta(text="x"), prefill(5)],
        [prefill(10)],
        [prefill(-1)],
        [prefill(5), prefill(4)],
    ],
    ids=str,
)
def test_impossible_events_break_a_generation(middle: list[GenerationEvent]) -> None:
    assert breaks_generation_rules([STARTED, *middle, FINISHED])


@given(st.lists(st.integers(0, 9)).map(sorted))
async def test_legal_pulls_add_up(progress: list[int]) -> None:
    assert await collect_pull(stream([PULL_STARTED, *map(pulled, progress), PULL_FINISHED])) == PULL_FINISHED


@given(st.lists(st.sampled_from([PULL_STARTED, pulled(3), pulled(5), PULL_FINISHED]), max_size=5))
def test_pulls_are_legal_in_one_order_only(events: list[PullEvent]) -> None:
    ranks = {PullStarted: 0, PullProgress: 1, PullFinished: 2}
    order = [ranks[type(event)] for event in events]
    is_framed = order[:1] == [0] and order[-1:] == [2] and order.count(0) == order.count(2) == 1
    progress = [event.completed_bytes for event in events if isinstance(event, PullProgress)]
    assert breaks_pull_rules(events) == (not (is_framed and order == sorted(order) and grows(progress)))


@pytest.mark.parametrize("middle", [[pulled(10)], [pulled(-1)]], ids=str)
def test_impossible_progress_breaks_a_pull(middle: list[PullEvent]) -> None:
    assert breaks_pull_rules([PULL_STARTED, *middle, PULL_FINISHED])


async def test_what_a_stream_raises_is_passed_on() -> None:
    async def failing() -> AsyncIterator[GenerationEvent]:
        yield STARTED
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await collect(failing())


def delta(choice: int) -> TextDelta:
    return TextDelta(text="x", choice=choice)


def choice_done(choice: int, finish_reason: FinishReason = FinishReason.STOP) -> ChoiceFinished:
    return ChoiceFinished(choice=choice, finish_reason=finish_reason)


async def test_several_answers_are_told_apart() -> None:
    second = choice_done(1, FinishReason.LENGTH)
    events: list[GenerationEvent] = [
        STARTED,
        prefill(9),
        delta(1),
        delta(0),
        delta(1),
        choice_done(0),
        second,
        FINISHED,
    ]
    result = await collect(stream(events))
    assert result.choices == (
        Choice(text="x", finish_reason=FinishReason.STOP),
        Choice(text="xx", finish_reason=FinishReason.LENGTH),
    )
    assert (result.text, result.finish_reason) == ("x", FinishReason.STOP)


async def test_what_was_thought_is_told_apart_from_what_was_said() -> None:
    pieces: list[GenerationEvent] = [ReasoningDelta(text="Is it"), ReasoningDelta(text=" two?"), TextDelta(text="Two.")]
    result = await collect(stream([STARTED, *pieces, FINISHED]))
    assert (result.reasoning, result.text) == ("Is it two?", "Two.")


@pytest.mark.parametrize(
    "middle",
    [
        [delta(-1)],
        [ReasoningDelta(text="x", choice=1)],
        [choice_done(0), ReasoningDelta(text="x")],
        [choice_done(-1)],
        [delta(1)],
        [choice_done(1)],
        [choice_done(0), choice_done(2)],
        [choice_done(0), choice_done(0)],
        [choice_done(0), delta(0)],
        [choice_done(0), delta(1)],
        [choice_done(0, FinishReason.LENGTH), choice_done(1)],
        [replace(choice_done(0), stop_text="."), choice_done(1)],
        [choice_done(0), prefill(9)],
        [delta(1), prefill(9)],
    ],
    ids=str,
)
def test_several_answers_have_one_end_each(middle: list[GenerationEvent]) -> None:
    assert breaks_generation_rules([STARTED, *middle, FINISHED])


async def test_logprobs_add_up_for_each_choice() -> None:
    first, second = (TokenLogprob(token_id=number, text="x", bytes=(120,), logprob=-1.0) for number in range(2))
    result = await collect(
        stream([STARTED, TextDelta(text="x", logprobs=(first,)), TextDelta(text="", logprobs=(second,)), FINISHED])
    )
    assert result.choices[0].logprobs == (first, second)
