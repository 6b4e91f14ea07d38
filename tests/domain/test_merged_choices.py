"""Several streams become one that keeps the rules, however they come interleaved."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.event_stream import GenerationRules
from cortex_domain.events import (
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    PrefillProgress,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.generation import Choice, FinishReason, GenerationTimings, TokenUsage
from cortex_domain.language_models import ModelId
from cortex_domain.merged_choices import MergedChoices
from cortex_domain.messages import ToolCallPart

STARTED = GenerationStarted(generation_id="gen_1", model=ModelId("a/b"), created_s=7, prompt_tokens=9)
PREFILL = [PrefillProgress(processed_tokens=done, total_tokens=9) for done in (4, 9)]
TIMINGS = GenerationTimings(queue_ms=1, prefill_ms=2, time_to_first_token_ms=3, tokens_per_second=4)


def ending(choice: int, words: Sequence[str]) -> GenerationFinished:
    usage = TokenUsage(prompt_tokens=9, cached_prompt_tokens=2, completion_tokens=len(words) + 1, reasoning_tokens=1)
    reason, detail = (FinishReason.LENGTH, "cut") if choice % 2 else (FinishReason.TOOL_CALLS, None)
    stop_text = None if choice % 2 else f"stop {choice}"
    timings = replace(TIMINGS, queue_ms=choice)
    return GenerationFinished(finish_reason=reason, usage=usage, timings=timings, stop_text=stop_text, detail=detail)


def call(choice: int) -> list[GenerationEvent]:
    named = ToolCallDelta(index=0, id=f"call_{choice}", name="look")
    whole = ToolCallFinished(index=0, id=named.id, name="look", arguments="{}")
    return [named, replace(named, arguments="{}"), *([] if choice % 2 else [whole])]


@given(st.lists(st.lists(st.text(min_size=1), max_size=3), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_any_order_keeps_the_rules(answers: list[list[str]], draw: object) -> None:
    streams: list[list[GenerationEvent]] = [
        [
            *PREFILL,
            ReasoningDelta(text=f"{choice}?"),
            *(TextDelta(text=word) for word in words),
            *call(choice),
            ending(choice, words),
        ]
        for choice, words in enumerate(answers)
    ]
    turns = [choice for choice, events in enumerate(streams) for _ in events]
    draw.shuffle(turns)  # type: ignore[attr-defined]
    merged, rules = MergedChoices(len(answers)), GenerationRules()
    for event in merged.take(0, STARTED):
        rules.accept(event)
    for choice in turns:
        for event in merged.take(choice, streams[choice].pop(0)):
            rules.accept(event)
    rules.close()
    assert rules.choices == tuple(
        Choice(
            text="".join(words),
            reasoning=f"{choice}?",
            finish_reason=ending(choice, words).finish_reason,
            stop_text=ending(choice, words).stop_text,
            tool_calls=(ToolCallPart(id=f"call_{choice}", name="look", arguments="{}"),),
            detail=ending(choice, words).detail,
        )
        for choice, words in enumerate(answers)
    )
    assert rules.finished is not None
    assert rules.finished.timings.queue_ms == 0
    thought = len(answers)
    written = thought + sum(map(len, answers))
    assert rules.finished.usage == TokenUsage(
        prompt_tokens=9, cached_prompt_tokens=2, completion_tokens=written, reasoning_tokens=thought
    )
