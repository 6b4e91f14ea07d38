"""Use case: go on with a generation that was suspended."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cortex_domain.events import GenerationEvent
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import GenerationSuspender
from cortex_domain.use_cases.load_model import LoadModel


class ResumeGeneration:
    """Resumes a generation, and loads its model again where that was unloaded meanwhile."""

    def __init__(self, *, suspender: GenerationSuspender, load_model: LoadModel, residency: ModelResidency) -> None:
        self._suspender = suspender
        self._load_model = load_model
        self._residency = residency

    def __call__(self, generation_id: str, /) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Goes on with the first event that was not read; one that cannot go on now stays suspended.

        Raises:
            GenerationNotFoundError: On entering; it is not suspended, or no longer.
            RequestRefusedError: On entering; its model can no longer be loaded.
            ResourceUnavailableError: On entering or iterating; it may go on later.
        """
        return self._resume(generation_id)

    @asynccontextmanager
    async def _resume(self, generation_id: str) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        model_id = self._suspender.model_of(generation_id)
        with self._residency.using(model_id):
            await self._load_model(model_id)
            async with self._suspender.resume(generation_id) as events:
                yield events
