"""Text generators that refuse too late or not at all."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from cortex_contracts.broken_adapters.passing_text_generator import PassingTextGenerator
from cortex_contracts.broken_adapters.wrong_requests import Ask
from cortex_contracts.conversations import COUNTING
from cortex_domain.errors import ContextWindowExceededError, CortexError, ModelNotLoadedError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import ModelId
from cortex_domain.messages import user_message
from cortex_domain.ports import TextGenerator


class RefusesLate(PassingTextGenerator):
    """Accepts all, and refuses when the first event is read."""

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with AsyncExitStack() as stack:
            try:
                events = await stack.enter_async_context(super()._generate(request))
            except CortexError as refusal:
                events = self._refuse(refusal)
            yield events

    async def _refuse(self, refusal: CortexError) -> AsyncIterator[GenerationEvent]:
        raise refusal
        yield


class RemembersModels(PassingTextGenerator):
    """Goes on answering, though with nothing, for a model that it knew before it was unloaded."""

    def __init__(self, inner: TextGenerator) -> None:
        super().__init__(inner)
        self._known: set[ModelId] = set()

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with AsyncExitStack() as stack:
            try:
                events = await stack.enter_async_context(super()._generate(request))
            except ModelNotLoadedError:
                if request.model not in self._known:
                    raise
                events = self._say_nothing()
            self._known.add(request.model)
            yield events

    async def _say_nothing(self) -> AsyncIterator[GenerationEvent]:
        return
        yield


class Cutting(PassingTextGenerator):
    """Cuts in silence what does not fit the context window."""

    def __init__(self, inner: TextGenerator, ask: Ask, *, applies: Callable[[GenerationRequest], bool]) -> None:
        super().__init__(inner)
        self._cut = ask
        self._applies = applies

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with AsyncExitStack() as stack:
            try:
                events = await stack.enter_async_context(super()._generate(request))
            except ContextWindowExceededError:
                if not self._applies(request):
                    raise
                events = await stack.enter_async_context(super()._generate(self._cut(request)))
            yield events


def cuts_prompts(inner: TextGenerator) -> TextGenerator:
    """Answers a prompt that does not fit as if it were another one."""
    return Cutting(
        inner,
        lambda request: replace(request, messages=(user_message(COUNTING),)),
        applies=lambda request: request.max_tokens is None,
    )


def cuts_answers(inner: TextGenerator) -> TextGenerator:
    """Takes a max_tokens that does not fit for a smaller one."""
    return Cutting(
        inner, lambda request: replace(request, max_tokens=1), applies=lambda request: request.max_tokens is not None
    )
