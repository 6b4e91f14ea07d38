"""Use case: fetch a model's files."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cortex_domain.errors import ModelNotFoundError
from cortex_domain.events import PullEvent
from cortex_domain.language_models import ModelId, parse_model_id
from cortex_domain.ports import ModelStore


class PullModel:
    """Resolves an alias and pulls; a name that the store does not list is taken for an id of its source."""

    def __init__(self, *, store: ModelStore) -> None:
        self._store = store

    def __call__(self, name: str, /) -> AbstractAsyncContextManager[AsyncIterator[PullEvent]]:
        """Pulls the model that has this id or alias.

        Raises:
            InvalidRequestError: On entering; the name cannot name a model.
            ModelNotFoundError: On entering; the source has no such model.
            ModelAccessDeniedError: On entering; the source refuses it.
            InvalidModelError: On entering or iterating; what the source has is not a model, or arrived altered.
            InsufficientStorageError: On entering; the disk is too small.
            ModelDownloadError: On entering or iterating; the source failed.
            StorageError: On entering or iterating; the disk cannot be read or written.
        """
        return self._pull(name)

    @asynccontextmanager
    async def _pull(self, name: str) -> AsyncIterator[AsyncIterator[PullEvent]]:
        async with self._store.pull(await self._resolve(name)) as events:
            yield events

    async def _resolve(self, name: str) -> ModelId:
        try:
            return (await self._store.describe(name)).id
        except ModelNotFoundError:
            return parse_model_id(name)
