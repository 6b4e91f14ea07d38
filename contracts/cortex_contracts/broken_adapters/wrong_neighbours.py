"""Text generators whose requests bear on each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from cortex_contracts.broken_adapters.passing_text_generator import EventStream, PassingTextGenerator
from cortex_domain.errors import CortexError, GeneratorFailedError
from cortex_domain.events import GenerationEvent, GenerationFinished, TextDelta
from cortex_domain.generation import GenerationRequest
from cortex_domain.ports import TextGenerator


class ReusesLastAnswer(PassingTextGenerator):
    """Loses the last delta when the same is asked again right away."""

    def __init__(self, inner: TextGenerator) -> None:
        super().__init__(inner)
        self._last: GenerationRequest | None = None

    async def _tell(self, request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        is_again, self._last = request == self._last and request.sampling.temperature == 0, request
        held: GenerationEvent | None = None
        async for event in events:
            if held is not None and not isinstance(event, GenerationFinished):
                yield held
            held = event if is_again and isinstance(event, TextDelta) else None
            if held is None:
                yield event


class NeverLeaves(PassingTextGenerator):
    """Lets an answer that was left run on."""

    def __init__(self, inner: TextGenerator) -> None:
        super().__init__(inner)
        self._left: list[AsyncExitStack] = []

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        stack = AsyncExitStack()
        self._left.append(stack)
        yield self._end(stack, await stack.enter_async_context(super()._generate(request)))

    async def _end(self, stack: AsyncExitStack, events: AsyncIterator[GenerationEvent]) -> EventStream:
        async for event in events:
            yield event
        await stack.aclose()


class MixesAnswers(PassingTextGenerator):
    """Adds a word to what is said at temperature 0 beside another answer."""

    def __init__(self, inner: TextGenerator) -> None:
        super().__init__(inner)
        self._active = 0

    async def _tell(self, request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        self._active += 1
        try:
            async for event in events:
                if isinstance(event, GenerationFinished) and self._active > 1 and request.sampling.temperature == 0:
                    yield TextDelta(text=" mixed")
                yield event
        finally:
            self._active -= 1


class FailsTogether(PassingTextGenerator):
    """Ends every answer in flight when a request is refused."""

    def __init__(self, inner: TextGenerator) -> None:
        super().__init__(inner)
        self._refusals = 0

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with AsyncExitStack() as stack:
            try:
                events = await stack.enter_async_context(super()._generate(request))
            except CortexError:
                self._refusals += 1
                raise
            yield events

    async def _tell(self, _request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        refusals = self._refusals
        async for event in events:
            if self._refusals > refusals:
                raise GeneratorFailedError("Another request was refused.")
            yield event


class OneAtATime(PassingTextGenerator):
    """Begins an answer only when the one before was read to its end or left."""

    def __init__(self, inner: TextGenerator) -> None:
        super().__init__(inner)
        self._turn = asyncio.Lock()

    async def _tell(self, _request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        async with self._turn:
            async for event in events:
                yield event
