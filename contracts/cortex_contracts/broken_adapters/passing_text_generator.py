"""Passes on what a text generator is asked and what it says, to be spoilt on the way."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import Capability
from cortex_domain.ports import TextGenerator

EventStream = AsyncGenerator[GenerationEvent, None]


class PassingTextGenerator(TextGenerator):
    """Wrong in no way yet: passes requests in and events out."""

    def __init__(self, inner: TextGenerator) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the generator behind this one declares."""
        return self._inner.capabilities

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Passes the request in by `_generate` and the events out by `_tell`; either can be overridden."""
        return self._generate(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with self._inner.generate_text(request) as events, aclosing(self._tell(request, events)) as told:
            yield told

    async def _tell(self, _request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        async for event in events:
            yield event
