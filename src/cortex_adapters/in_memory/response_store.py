"""Keeps responses in memory, the least recently used first to go."""

from collections.abc import Sequence
from typing import Final

from cortex_domain.errors import ResponseItemNotFoundError, ResponseNotFoundError
from cortex_domain.ports import ResponseStore
from cortex_domain.stored_responses import StoredItem, StoredResponse

MAX_RESPONSES: Final = 10_000
MAX_BYTES: Final = 64_000_000

_RESPONSE_BYTES: Final = 300
_ITEM_BYTES: Final = 400
"""What Python takes for a response, or an item, and its places in the tables, beside the contents; measured."""


class InMemoryResponseStore(ResponseStore):
    """Keeps responses in a table in the order of their last use.

    Args:
        max_responses: How many it keeps, at least 1.
        max_bytes: What they may take together, in bytes. A response larger than that is not kept at all.
    """

    def __init__(self, *, max_responses: int = MAX_RESPONSES, max_bytes: int = MAX_BYTES) -> None:
        self._max_responses = max_responses
        self._max_bytes = max_bytes
        self._used_bytes = 0
        self._responses: dict[str, StoredResponse] = {}
        # Ids of the responses that hold an item of this id, the one put last at the end.
        self._holders: dict[str, dict[str, None]] = {}

    async def put(self, response: StoredResponse, /) -> None:
        """Keeps a response, in place of others if there are too many."""
        if response.id in self._responses:
            self._remove(response.id)
        self._responses[response.id] = response
        self._used_bytes += _size_bytes(response)
        for item in response.items:
            holders = self._holders.setdefault(item.id, {})
            holders.pop(response.id, None)
            holders[response.id] = None
        while len(self._responses) > self._max_responses or self._used_bytes > self._max_bytes:
            self._remove(next(iter(self._responses)))

    async def get(self, response_id: str, /, *, owner: str | None) -> StoredResponse:
        """Finds a response."""
        return self._use(response_id, owner)

    async def history(self, response_id: str, /, *, owner: str | None) -> Sequence[StoredResponse]:
        """Finds a response and all that came before it."""
        found: dict[str, StoredResponse] = {}
        wanted: str | None = response_id
        # An id that comes again was put by a caller who made a circle.
        while wanted is not None and wanted not in found:
            found[wanted] = self._use(wanted, owner)
            wanted = found[wanted].previous_id
        return tuple(reversed(found.values()))

    async def get_item(self, item_id: str, /, *, owner: str | None) -> StoredItem:
        """Finds an item of any response."""
        for response_id in reversed(self._holders.get(item_id, {})):
            response = self._responses[response_id]
            if owner in (None, response.owner):
                return next(item for item in reversed(response.items) if item.id == item_id)
        raise ResponseItemNotFoundError(item_id=item_id)

    async def delete(self, response_id: str, /, *, owner: str | None) -> None:
        """Forgets a response and its items."""
        self._use(response_id, owner)
        self._remove(response_id)

    def _use(self, response_id: str, owner: str | None) -> StoredResponse:
        response = self._responses.get(response_id)
        if response is None or owner not in (None, response.owner):
            raise ResponseNotFoundError(response_id=response_id)
        self._responses[response_id] = self._responses.pop(response_id)
        return response

    def _remove(self, response_id: str) -> None:
        response = self._responses.pop(response_id)
        self._used_bytes -= _size_bytes(response)
        for item_id in {item.id for item in response.items}:
            del self._holders[item_id][response_id]
            if not self._holders[item_id]:
                del self._holders[item_id]


def _size_bytes(response: StoredResponse) -> int:
    contents = len(response.content) + len(response.events) + sum(len(item.content) for item in response.items)
    return contents + _RESPONSE_BYTES + _ITEM_BYTES * len(response.items)
