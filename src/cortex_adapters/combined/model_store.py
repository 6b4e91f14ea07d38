"""Model store made of several."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cortex_domain.errors import ModelNotFoundError
from cortex_domain.events import PullEvent
from cortex_domain.language_models import ModelDescriptor, ModelFiles, ModelId, nearest_names, parse_model_id
from cortex_domain.ports import ModelStore


class CombinedModelStore(ModelStore):
    """Several stores as one.

    A model belongs to the first store that lists its id. A name that is nobody's id is an alias of the first store
    that has such an alias. What no store lists is pulled from the last one.

    Args:
        stores: At least one, most trusted first.

    Raises:
        ValueError: There is no store.
    """

    def __init__(self, stores: Sequence[ModelStore]) -> None:
        if not stores:
            raise ValueError("CombinedModelStore needs at least one store")
        self._stores = tuple(stores)

    async def list_models(self) -> Sequence[ModelDescriptor]:
        """Lists the models of all stores, each as its own store describes it."""
        listed: dict[ModelId, ModelDescriptor] = {}
        for store in self._stores:
            for descriptor in await store.list_models():
                listed.setdefault(descriptor.id, descriptor)
        return [listed[model_id] for model_id in sorted(listed)]

    async def describe(self, name: str, /) -> ModelDescriptor:
        """Finds a model by its id or, if it is nobody's id, an alias."""
        _, descriptor = await self._find(name)
        return descriptor

    async def locate(self, model_id: ModelId, /) -> ModelFiles:
        """Finds a model's files where the model belongs."""
        owner = await self._owner(model_id)
        return await owner.locate(model_id)

    def pull(self, model_id: ModelId, /) -> AbstractAsyncContextManager[AsyncIterator[PullEvent]]:
        """Fetches a model's files to where the model belongs, or to the last store when no store lists it."""
        return self._pull(model_id)

    async def delete(self, model_id: ModelId, /) -> None:
        """Removes a model's files where the model belongs."""
        owner = await self._owner(model_id)
        await owner.delete(model_id)

    @asynccontextmanager
    async def _pull(self, model_id: ModelId) -> AsyncIterator[AsyncIterator[PullEvent]]:
        try:
            store = await self._owner(parse_model_id(model_id))
        except ModelNotFoundError:
            store = self._stores[-1]
        async with store.pull(model_id) as events:
            yield events

    async def _owner(self, model_id: ModelId) -> ModelStore:
        store, _ = await self._find(model_id)
        return store

    async def _find(self, name: str) -> tuple[ModelStore, ModelDescriptor]:
        by_alias: tuple[ModelStore, ModelDescriptor] | None = None
        nearest: list[str] = []
        for store in self._stores:
            try:
                descriptor = await store.describe(name)
            except ModelNotFoundError as exc:
                nearest += exc.nearest
                continue
            if descriptor.id == name:
                return store, descriptor
            by_alias = by_alias or (store, descriptor)
        if by_alias is None:
            raise ModelNotFoundError(model_id=name, nearest=nearest_names(name, nearest, cutoff=0))
        return by_alias
