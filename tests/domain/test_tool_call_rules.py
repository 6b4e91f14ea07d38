"""Tool calls in a stream: what is legal, and what it adds up to."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from cortex_domain.errors import ContractViolationError
from cortex_domain.event_stream import collect
from cortex_domain.events import (
    ChoiceFinished,
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    PrefillProgress,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.generation import FinishReason, GenerationResult, GenerationTimings, TokenUsage
from cortex_domain.language_models import ModelId
from cortex_domain.messages import ToolCallPart

STARTED = GenerationStarted(generation_id="gen_1", model=ModelId("a/b"), created_s=7, prompt_tokens=9)
FINISHED = GenerationFinished(
    finish_reason=FinishReason.TOOL_CALLS,
    usage=TokenUsage(prompt_tokens=9, completion_tokens=2),
    timings=GenerationTimings(queue_ms=1, prefill_ms=2, time_to_first_token_ms=3, tokens_per_second=4),
)
NAMED = ToolCallDelta(index=0, id="call_1", name="look")
PIECES = [replace(NAMED, arguments=piece) for piece in ('{"at":', ' "x"}')]
WHOLE = ToolCallFinished(index=0, id="call_1", name="look", arguments='{"at": "x"}')
CALL: list[GenerationEvent] = [NAMED, *PIECES, WHOLE]
SECOND = ToolCallDelta(index=1, id="call_2", name="listen")
NEXT: list[GenerationEvent] = [
    SECOND,
    ToolCallDelta(index=1, id="call_2", name="listen", arguments="{}"),
    ToolCallFinished(index=1, id="call_2", name="listen", arguments="{}"),
]
LOOK = ToolCallPart(id="call_1", name="look", arguments='{"at": "x"}')
LISTEN = ToolCallPart(id="call_2", name="listen", arguments="{}")
TEXT = TextDelta(text="Well.")
CUT = replace(FINISHED, finish_reason=FinishReason.LENGTH, detail="It was cut.")


async def _added_up(*middle: GenerationEvent, end: GenerationFinished = FINISHED) -> GenerationResult:
    async def stream() -> AsyncIterator[GenerationEvent]:
        for event in (STARTED, *middle, end):
            yield event

    return await collect(stream())


async def test_calls_add_up_with_text_around_them() -> None:
    result = await _added_up(TEXT, *CALL, TEXT, *NEXT)
    assert (result.text, result.tool_calls) == ("Well.Well.", (LOOK, LISTEN))
    assert (result.finish_reason, result.detail) == (FinishReason.TOOL_CALLS, None)
    assert result.choices[0].tool_calls == result.tool_calls


async def test_a_call_that_was_cut_is_the_last_and_says_so() -> None:
    result = await _added_up(*CALL, *NEXT[:1], end=CUT)
    assert result.tool_calls == (LOOK, replace(LISTEN, arguments=""))
    assert (result.finish_reason, result.detail) == (FinishReason.LENGTH, "It was cut.")


@pytest.mark.parametrize("reason", [FinishReason.STOP, FinishReason.CANCELLED, FinishReason.LENGTH])
async def test_text_may_follow_a_call_that_is_given_up(reason: FinishReason) -> None:
    end = replace(FINISHED, finish_reason=reason, detail="It is no JSON.")
    result = await _added_up(*CALL[:2], TEXT, end=end)
    assert (result.text, result.tool_calls) == ("Well.", (replace(LOOK, arguments='{"at":'),))


async def test_each_choice_has_calls_of_its_own() -> None:
    other: list[GenerationEvent] = [*(replace(delta, choice=1) for delta in (NAMED, *PIECES)), replace(WHOLE, choice=1)]
    endings = [ChoiceFinished(choice=choice, finish_reason=FinishReason.TOOL_CALLS) for choice in (1, 0)]
    result = await _added_up(*CALL, *other, *endings)
    assert [choice.tool_calls for choice in result.choices] == [(LOOK,), (LOOK,)]


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param([*NEXT], id="begins with the second"),
        pytest.param([PIECES[0]], id="has arguments before its name"),
        pytest.param([replace(NAMED, id="")], id="has no id"),
        pytest.param([replace(NAMED, name="")], id="has no name"),
        pytest.param([*CALL, replace(SECOND, id="call_1")], id="has the id of another"),
        pytest.param([NAMED, NAMED], id="has an empty piece"),
        pytest.param([NAMED, replace(PIECES[0], name="hear")], id="changes its name"),
        pytest.param([NAMED, replace(PIECES[0], id="call_9")], id="changes its id"),
        pytest.param([NAMED, *NEXT], id="is not finished before the next"),
        pytest.param([NAMED, WHOLE], id="does not add up"),
        pytest.param([WHOLE], id="ends before it begins"),
        pytest.param([*CALL, WHOLE], id="ends twice"),
        pytest.param([NAMED, TEXT, *PIECES, WHOLE], id="goes on after text"),
        pytest.param([NAMED, *PIECES, TEXT, WHOLE], id="ends after text"),
        pytest.param([NAMED, PrefillProgress(processed_tokens=9, total_tokens=9)], id="precedes the prompt"),
        pytest.param([*CALL, ChoiceFinished(choice=0, finish_reason=FinishReason.STOP)], id="stops"),
        pytest.param([NAMED], id="is never finished"),
        pytest.param([], id="is promised and never made"),
    ],
)
@pytest.mark.parametrize("end", [FINISHED, replace(FINISHED, finish_reason=FinishReason.STOP)], ids=["calls", "stop"])
async def test_impossible_calls_break_a_generation(middle: Sequence[GenerationEvent], end: GenerationFinished) -> None:
    if not middle and end is not FINISHED:
        return
    with pytest.raises(ContractViolationError):
        await _added_up(*middle, end=end)


async def test_a_call_that_is_not_whole_needs_a_detail() -> None:
    with pytest.raises(ContractViolationError, match="no detail"):
        await _added_up(*CALL[:2], end=replace(CUT, detail=None))
