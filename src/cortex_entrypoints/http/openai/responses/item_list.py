"""A page of the items that a response was asked with."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic_core import from_json
from typing_extensions import TypedDict

from cortex_domain.errors import ResponseItemNotFoundError
from cortex_domain.stored_responses import StoredItem
from cortex_entrypoints.http.openai.responses.queries import InputItemsQuery


class ItemList(TypedDict):
    """Some items, and whether more follow. `first_id` and `last_id` are empty when there are none."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    first_id: str
    last_id: str
    has_more: bool


def item_list(items: Sequence[StoredItem], query: InputItemsQuery, /) -> ItemList:
    """Builds the page that a query asks for.

    Args:
        items: All items, the oldest first.
        query: Which of them.

    Raises:
        ResponseItemNotFoundError: The item that the page comes after is none of them.
    """
    ordered = list(items) if query.order == "asc" else list(reversed(items))
    start = 0 if query.after is None else _position(ordered, query.after) + 1
    page = ordered[start : start + query.limit]
    return ItemList(
        object="list",
        data=[from_json(item.content) for item in page],
        first_id=page[0].id if page else "",
        last_id=page[-1].id if page else "",
        has_more=start + len(page) < len(ordered),
    )


def _position(items: Sequence[StoredItem], item_id: str) -> int:
    for position, item in enumerate(items):
        if item.id == item_id:
            return position
    raise ResponseItemNotFoundError(item_id=item_id)
