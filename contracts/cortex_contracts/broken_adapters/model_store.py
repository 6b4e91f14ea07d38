"""Model stores that are wrong in one way each."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.model_store import ModelStoreHarness
from cortex_domain.errors import (
    CortexError,
    InvalidRequestError,
    ModelNotDownloadedError,
    ModelNotFoundError,
)
from cortex_domain.events import PullEvent, PullStarted
from cortex_domain.language_models import ModelDescriptor, ModelFiles, ModelId, ModelState
from cortex_domain.ports import ModelStore


class _Passing(ModelStore):
    """Wrong in no way yet."""

    def __init__(self, inner: ModelStore) -> None:
        self._inner = inner

    async def list_models(self) -> Sequence[ModelDescriptor]:
        return await self._inner.list_models()

    async def describe(self, name: str, /) -> ModelDescriptor:
        return await self._inner.describe(name)

    async def locate(self, model_id: ModelId, /) -> ModelFiles:
        return await self._inner.locate(model_id)

    def pull(self, model_id: ModelId, /) -> AbstractAsyncContextManager[AsyncIterator[PullEvent]]:
        return self._inner.pull(model_id)

    async def delete(self, model_id: ModelId, /) -> None:
        await self._inner.delete(model_id)


class _ListsBackwards(_Passing):
    async def list_models(self) -> Sequence[ModelDescriptor]:
        return (await super().list_models())[::-1]


class _KnowsNoAlias(_Passing):
    async def describe(self, name: str, /) -> ModelDescriptor:
        found = await super().describe(name)
        if found.id != name:
            raise ModelNotFoundError(model_id=name)
        return found


class _InventsModels(_Passing):
    async def describe(self, name: str, /) -> ModelDescriptor:
        try:
            return await super().describe(name)
        except ModelNotFoundError:
            return ModelDescriptor(id=ModelId(name), state=ModelState.AVAILABLE)


class _TakesAnyName(_Passing):
    async def describe(self, name: str, /) -> ModelDescriptor:
        try:
            return await super().describe(name)
        except InvalidRequestError:
            raise ModelNotFoundError(model_id=name) from None


class _FindsNothingAbsent(_Passing):
    async def locate(self, model_id: ModelId, /) -> ModelFiles:
        try:
            return await super().locate(model_id)
        except ModelNotDownloadedError:
            raise ModelNotFoundError(model_id=model_id) from None


class _Miscounts(_Passing):
    async def locate(self, model_id: ModelId, /) -> ModelFiles:
        files = await super().locate(model_id)
        return replace(files, size_bytes=files.size_bytes + 1)


class _StartsTwice(_Passing):
    @asynccontextmanager
    async def pull(self, model_id: ModelId, /) -> AsyncIterator[AsyncIterator[PullEvent]]:
        async with self._inner.pull(model_id) as events, aclosing(self._repeat_start(events)) as repeated:
            yield repeated

    async def _repeat_start(self, events: AsyncIterator[PullEvent]) -> AsyncGenerator[PullEvent, None]:
        async for event in events:
            if isinstance(event, PullStarted):
                yield event
            yield event


class _RefusesLate(_Passing):
    @asynccontextmanager
    async def pull(self, model_id: ModelId, /) -> AsyncIterator[AsyncIterator[PullEvent]]:
        try:
            await self.describe(model_id)
        except ModelNotFoundError as refusal:
            yield self._refuse(refusal)
        else:
            async with self._inner.pull(model_id) as events:
                yield events

    async def _refuse(self, refusal: CortexError) -> AsyncIterator[PullEvent]:
        raise refusal
        yield


class _PullsAfresh(_Passing):
    """Deletes before it pulls, when `applies_to` says so of the model."""

    def __init__(self, inner: ModelStore, *, applies_to: ModelState) -> None:
        super().__init__(inner)
        self._applies_to = applies_to

    @asynccontextmanager
    async def pull(self, model_id: ModelId, /) -> AsyncIterator[AsyncIterator[PullEvent]]:
        if (await self._state(model_id)) is self._applies_to:
            await self.delete(model_id)
        async with self._inner.pull(model_id) as events:
            yield events

    async def _state(self, model_id: ModelId) -> ModelState | None:
        try:
            return (await self.describe(model_id)).state
        except ModelNotFoundError:
            return None


class _DownloadsAgain(_PullsAfresh):
    def __init__(self, inner: ModelStore) -> None:
        super().__init__(inner, applies_to=ModelState.DOWNLOADED)


class _StartsOver(_PullsAfresh):
    def __init__(self, inner: ModelStore) -> None:
        super().__init__(inner, applies_to=ModelState.AVAILABLE)


class _MissesWhatItDeletes(_Passing):
    async def delete(self, model_id: ModelId, /) -> None:
        await self.locate(model_id)
        await super().delete(model_id)


class _KeepsDeleted(_Passing):
    async def delete(self, model_id: ModelId, /) -> None:
        await self.describe(model_id)


class _PullsBehindYourBack(_Passing):
    @asynccontextmanager
    async def pull(self, model_id: ModelId, /) -> AsyncIterator[AsyncIterator[PullEvent]]:
        async with self._inner.pull(model_id) as events:
            yield events
            async for _ in events:
                pass


def _breakage(requirement_id: str, broken: Callable[[ModelStore], ModelStore]) -> Breakage[ModelStoreHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, store=broken(harness.store)))


BROKEN_MODEL_STORES = (
    _breakage("model_store.list_is_sorted", _ListsBackwards),
    _breakage("model_store.describe_finds_listed", _KnowsNoAlias),
    _breakage("model_store.unknown_model_refused", _InventsModels),
    _breakage("model_store.bad_name_refused", _TakesAnyName),
    _breakage("model_store.locate_refuses_absent", _FindsNothingAbsent),
    _breakage("model_store.locate_matches_pull", _Miscounts),
    _breakage("model_store.pull_stream_order", _StartsTwice),
    _breakage("model_store.pull_refused_on_entering", _RefusesLate),
    _breakage("model_store.pull_again_finishes_at_once", _DownloadsAgain),
    _breakage("model_store.pull_resumes", _StartsOver),
    _breakage("model_store.delete_is_idempotent", _MissesWhatItDeletes),
    _breakage("model_store.state_follows_history", _KeepsDeleted),
    _breakage("model_store.state_follows_history", _PullsBehindYourBack),
)
