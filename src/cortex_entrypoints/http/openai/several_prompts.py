"""Several prompts of one request: a generation each, told as one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace

from cortex_domain.events import (
    ChoiceFinished,
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    ReasoningDelta,
    TextDelta,
)
from cortex_domain.generation import TokenUsage

Generation = AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]


@asynccontextmanager
async def as_one(generations: Sequence[Generation], /, *, n: int) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
    """Enters all generations, and tells their events as they come as those of one.

    The choices of the first generation come first, then those of the second. The usage is that of all together; what is
    read of each prompt is not told.

    Args:
        generations: At least one.
        n: How many answers each gives.

    Raises:
        CortexError: Whatever entering one of them raises; the others are left.
    """
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(generation) for generation in generations]
        if len(streams) == 1:
            yield streams[0]
        else:
            yield await stack.enter_async_context(aclosing(_merged(streams, n)))


async def _merged(streams: Sequence[AsyncIterator[GenerationEvent]], n: int) -> AsyncGenerator[GenerationEvent, None]:
    starts = [event for stream in streams if isinstance(event := await anext(stream), GenerationStarted)]
    yield replace(starts[0], prompt_tokens=sum(start.prompt_tokens for start in starts))
    endings: dict[int, GenerationFinished] = {}
    async with aclosing(_interleaved(streams)) as events:
        async for number, event in events:
            if isinstance(event, GenerationFinished):
                endings[number] = event
                if n == 1:
                    yield ChoiceFinished(
                        choice=number, finish_reason=event.finish_reason, stop_text=event.stop_text, detail=event.detail
                    )
            elif isinstance(event, TextDelta | ReasoningDelta | ChoiceFinished):
                yield replace(event, choice=number * n + event.choice)
    yield replace(endings[0], usage=_sum([ending.usage for ending in endings.values()]))


async def _interleaved(
    streams: Sequence[AsyncIterator[GenerationEvent]],
) -> AsyncGenerator[tuple[int, GenerationEvent], None]:
    """Takes from whichever stream has something next, up to the last event of each."""
    waiting = {asyncio.ensure_future(anext(stream)): number for number, stream in enumerate(streams)}
    try:
        while waiting:
            arrived, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(arrived, key=waiting.__getitem__):
                number, event = waiting.pop(task), task.result()
                if not isinstance(event, GenerationFinished):
                    waiting[asyncio.ensure_future(anext(streams[number]))] = number
                yield number, event
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _sum(usages: Sequence[TokenUsage]) -> TokenUsage:
    return TokenUsage(
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        cached_prompt_tokens=sum(usage.cached_prompt_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
    )
