"""A text generator that a test lets through a door."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cortex_domain.events import GenerationEvent, GenerationFinished, GenerationStarted, TextDelta
from cortex_domain.generation import FinishReason, GenerationRequest, GenerationTimings, TokenUsage
from cortex_domain.language_models import Capability
from cortex_domain.ports import TextGenerator


class DoorGenerator(TextGenerator):
    """Waits at the door of each generation, then says all at once without ever suspending.

    Attributes:
        opens: Set it to let everybody in.
        entered: Set when somebody stands at the door.
        open: Generations whose block is being entered, or open.
    """

    def __init__(self, *, endless: bool = False) -> None:
        self.opens = asyncio.Event()
        self.entered = asyncio.Event()
        self.open = 0
        self._endless = endless

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset()

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        return self._generate(request)

    async def until_left(self) -> None:
        """Waits until nobody is in; hangs, and so fails, when a generation leaks."""
        async with asyncio.timeout(20):
            while self.open:
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        self.open += 1
        self.entered.set()
        try:
            await self.opens.wait()
            yield self._events(request)
        finally:
            self.open -= 1

    async def _events(self, request: GenerationRequest) -> AsyncIterator[GenerationEvent]:
        yield GenerationStarted(generation_id=request.generation_id, model=request.model, created_s=0, prompt_tokens=1)
        yield TextDelta(text="x")
        while self._endless:
            yield TextDelta(text="x")
        yield GenerationFinished(
            finish_reason=FinishReason.STOP,
            usage=TokenUsage(prompt_tokens=1, completion_tokens=1),
            timings=GenerationTimings(queue_ms=0, prefill_ms=0, time_to_first_token_ms=0, tokens_per_second=0),
        )
