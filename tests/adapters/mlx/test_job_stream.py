import asyncio

import pytest

from cortex_adapters.mlx.job_stream import JobStream
from cortex_domain.errors import GeneratorFailedError
from cortex_domain.events import GenerationEvent, GenerationFinished, GenerationStarted, ReasoningDelta, TextDelta
from cortex_domain.generation import FinishReason, GenerationTimings, TokenUsage
from cortex_domain.language_models import ModelId

STARTED = GenerationStarted(generation_id="gen_1", model=ModelId("a/b"), created_s=0, prompt_tokens=1)
FINISHED = GenerationFinished(
    finish_reason=FinishReason.STOP,
    usage=TokenUsage(prompt_tokens=1, completion_tokens=1),
    timings=GenerationTimings(queue_ms=0, prefill_ms=0, time_to_first_token_ms=0, tokens_per_second=0),
)


async def test_text_that_nobody_reads_is_joined() -> None:
    stream = JobStream()
    stream.begin(STARTED)
    for text in ("one", " two", " three"):
        stream.put(TextDelta(text=text))
    stream.put(FINISHED)
    assert [event async for event in stream] == [STARTED, TextDelta(text="one two three"), FINISHED]


async def test_what_is_thought_is_not_joined_to_what_is_said() -> None:
    stream = JobStream()
    stream.begin(STARTED)
    pieces: list[GenerationEvent] = [
        ReasoningDelta(text="a"),
        ReasoningDelta(text="b"),
        TextDelta(text="c"),
        ReasoningDelta(text="d"),
    ]
    for output in [*pieces, FINISHED]:
        stream.put(output)
    joined = [ReasoningDelta(text="ab"), TextDelta(text="c"), ReasoningDelta(text="d")]
    assert [event async for event in stream] == [STARTED, *joined, FINISHED]


async def test_text_that_is_awaited_comes_at_once() -> None:
    stream = JobStream()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.begin(STARTED)
    assert await first == STARTED
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.put(TextDelta(text="one"))
    assert await reader == TextDelta(text="one")


async def test_an_error_comes_after_what_was_said_and_ends_the_stream() -> None:
    stream = JobStream()
    stream.begin(STARTED)
    stream.put(TextDelta(text="one"))
    stream.put(GeneratorFailedError("broken"))
    assert await anext(stream) == STARTED
    assert await anext(stream) == TextDelta(text="one")
    with pytest.raises(GeneratorFailedError):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_stream_begins_with_the_engines_first_word() -> None:
    stream = JobStream()
    stream.begin(STARTED)
    assert not stream.has_begun
    stream.put(TextDelta(text="one"))
    assert stream.has_begun


async def test_the_first_event_comes_first_even_when_the_engine_was_quicker() -> None:
    stream = JobStream()
    stream.put(TextDelta(text="one"))
    stream.begin(STARTED)
    assert [await anext(stream), await anext(stream)] == [STARTED, TextDelta(text="one")]
