"""Response stores that are wrong in one way each."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.response_store import ResponseStoreHarness
from cortex_domain.errors import ResponseItemNotFoundError, ResponseNotFoundError
from cortex_domain.ports import ResponseStore
from cortex_domain.stored_responses import StoredItem, StoredResponse


class _Passing(ResponseStore):
    """Wrong in no way yet."""

    def __init__(self, inner: ResponseStore) -> None:
        self._inner = inner

    async def put(self, response: StoredResponse, /) -> None:
        await self._inner.put(response)

    async def get(self, response_id: str, /, *, owner: str | None) -> StoredResponse:
        return await self._inner.get(response_id, owner=owner)

    async def history(self, response_id: str, /, *, owner: str | None) -> Sequence[StoredResponse]:
        return await self._inner.history(response_id, owner=owner)

    async def get_item(self, item_id: str, /, *, owner: str | None) -> StoredItem:
        return await self._inner.get_item(item_id, owner=owner)

    async def delete(self, response_id: str, /, *, owner: str | None) -> None:
        await self._inner.delete(response_id, owner=owner)


class _CutsContents(_Passing):
    async def get(self, response_id: str, /, *, owner: str | None) -> StoredResponse:
        """Ends a text at its first zero, as C does."""
        found = await super().get(response_id, owner=owner)
        return replace(found, content=found.content.partition(b"\0")[0])


class _KeepsOldItems(_Passing):
    def __init__(self, inner: ResponseStore) -> None:
        super().__init__(inner)
        self._replaced: dict[str, StoredItem] = {}

    async def put(self, response: StoredResponse, /) -> None:
        """Forgets the response that it replaces, but not what that held."""
        try:
            before = await super().get(response.id, owner=None)
        except ResponseNotFoundError:
            before = response
        self._replaced |= {item.id: item for item in before.items if item not in response.items}
        await super().put(response)

    async def get_item(self, item_id: str, /, *, owner: str | None) -> StoredItem:
        return self._replaced.get(item_id) or await super().get_item(item_id, owner=owner)


class _NamesNoId(_Passing):
    async def get(self, response_id: str, /, *, owner: str | None) -> StoredResponse:
        try:
            return await super().get(response_id, owner=owner)
        except ResponseNotFoundError:
            raise ResponseNotFoundError(response_id="?") from None


class _IgnoresTheOwner(_Passing):
    async def get_item(self, item_id: str, /, *, owner: str | None) -> StoredItem:  # noqa: ARG002
        return await super().get_item(item_id, owner=None)


class _WantsAnOwner(_Passing):
    async def history(self, response_id: str, /, *, owner: str | None) -> Sequence[StoredResponse]:
        return await super().history(response_id, owner=owner or "")


class _TellsBackwards(_Passing):
    async def history(self, response_id: str, /, *, owner: str | None) -> Sequence[StoredResponse]:
        return (await super().history(response_id, owner=owner))[::-1]


class _SkipsGaps(_Passing):
    async def history(self, response_id: str, /, *, owner: str | None) -> Sequence[StoredResponse]:
        """Begins after what is missing, as if the conversation had begun there."""
        found = [await super().get(response_id, owner=owner)]
        try:
            return await super().history(response_id, owner=owner)
        except ResponseNotFoundError:
            return found


class _FindsWhatWasPutFirst(_Passing):
    def __init__(self, inner: ResponseStore) -> None:
        super().__init__(inner)
        self._first: dict[str, StoredItem] = {}

    async def put(self, response: StoredResponse, /) -> None:
        await super().put(response)
        for item in response.items:
            self._first.setdefault(item.id, item)

    async def get_item(self, item_id: str, /, *, owner: str | None) -> StoredItem:
        found = await super().get_item(item_id, owner=owner)
        return self._first.get(found.id, found)


class _KeepsItemsOfTheDeleted(_Passing):
    def __init__(self, inner: ResponseStore) -> None:
        super().__init__(inner)
        self._deleted: dict[str, StoredItem] = {}

    async def get_item(self, item_id: str, /, *, owner: str | None) -> StoredItem:
        try:
            return await super().get_item(item_id, owner=owner)
        except ResponseItemNotFoundError:
            if item_id not in self._deleted:
                raise
            return self._deleted[item_id]

    async def delete(self, response_id: str, /, *, owner: str | None) -> None:
        response = await super().get(response_id, owner=owner)
        self._deleted |= {item.id: item for item in response.items}
        await super().delete(response_id, owner=owner)


class _RefusesWhatWasDeleted(_Passing):
    def __init__(self, inner: ResponseStore) -> None:
        super().__init__(inner)
        self._deleted: set[str] = set()

    async def put(self, response: StoredResponse, /) -> None:
        """Takes what is put after it was deleted for what was deleted."""
        if response.id not in self._deleted:
            await super().put(response)

    async def delete(self, response_id: str, /, *, owner: str | None) -> None:
        await super().delete(response_id, owner=owner)
        self._deleted.add(response_id)


def _breakage(requirement_id: str, broken: Callable[[ResponseStore], ResponseStore]) -> Breakage[ResponseStoreHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, store=broken(harness.store)))


BROKEN_RESPONSE_STORES = (
    _breakage("response_store.keeps_what_was_put", _CutsContents),
    _breakage("response_store.put_again_replaces", _KeepsOldItems),
    _breakage("response_store.unknown_refused", _NamesNoId),
    _breakage("response_store.owners_are_apart", _IgnoresTheOwner),
    _breakage("response_store.no_owner_finds_any", _WantsAnOwner),
    _breakage("response_store.history_in_order", _TellsBackwards),
    _breakage("response_store.gap_in_history_refused", _SkipsGaps),
    _breakage("response_store.finds_items", _FindsWhatWasPutFirst),
    _breakage("response_store.deleted_is_gone", _KeepsItemsOfTheDeleted),
    _breakage("response_store.state_follows_history", _RefusesWhatWasDeleted),
)
