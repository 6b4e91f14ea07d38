"""What a response goes on from: the responses before it, the items that it refers to, and what is said anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import from_json, to_json

from cortex_domain.errors import InvalidRequestError, ResponseNotFoundError
from cortex_domain.messages import Message
from cortex_domain.ports import ResponseStore
from cortex_domain.stored_responses import StoredItem, StoredResponse
from cortex_entrypoints.http.edge_errors import PreviousResponseNotFoundError
from cortex_entrypoints.http.openai.responses.input_items import (
    ItemBody,
    ItemReferenceBody,
    SpokenItem,
    messages_of,
    spoken_again,
)
from cortex_entrypoints.http.openai.responses.prompt_body import PromptBody
from cortex_entrypoints.http.openai.responses.response_object import ResponseObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What the model is given to go on from.

    Attributes:
        owner: Who asks.
        input_items: What is said anew.
        messages: What was said before, and that.
    """

    owner: str
    input_items: tuple[StoredItem, ...]
    messages: tuple[Message, ...]


async def conversation_of(body: PromptBody, store: ResponseStore, /) -> Conversation:
    """Finds what a response is to go on from.

    Who names no user goes on as the one who asked for the response before, so that both reuse what was computed.

    Raises:
        InvalidRequestError: An item was said before already, or cannot be understood.
        PreviousResponseNotFoundError: A response before it is not stored.
        ResponseItemNotFoundError: An item that it refers to is not stored.
    """
    before = await _history(body, store)
    said = [await _spoken(item, store, body.user) for item in body.items]
    known = [item for response in before for item in response.items]
    _require_new(said, known)
    return Conversation(
        owner=body.user or (before[-1].owner if before else ""),
        input_items=tuple(item.to_stored() for item in said),
        messages=messages_of([*map(spoken_again, known), *said]),
    )


def stored_response(response: ResponseObject, conversation: Conversation, /, *, events: bytes = b"") -> StoredResponse:
    """Builds what is kept of a response.

    Args:
        response: The response.
        conversation: What it goes on from.
        events: The frames of its stream, if they are kept.
    """
    return StoredResponse(
        id=response["id"],
        owner=conversation.owner,
        previous_id=response["previous_response_id"],
        input_items=conversation.input_items,
        output_items=tuple(StoredItem(id=item["id"], content=to_json(item)) for item in response["output"]),
        content=to_json(response),
        events=events,
    )


async def _history(body: PromptBody, store: ResponseStore) -> Sequence[StoredResponse]:
    if body.previous_response_id is None:
        return ()
    try:
        history = await store.history(body.previous_response_id, owner=body.user or None)
    except ResponseNotFoundError as error:
        raise PreviousResponseNotFoundError(response_id=error.response_id) from error
    if from_json(history[-1].content)["status"] == "in_progress":
        raise InvalidRequestError(
            f"The response {body.previous_response_id!r} is still being generated. Wait for its end, or cancel it.",
            parameter="previous_response_id",
        )
    return history


async def _spoken(item: ItemBody, store: ResponseStore, user: str | None) -> SpokenItem:
    if isinstance(item, ItemReferenceBody):
        return spoken_again(await store.get_item(item.id, owner=user or None))
    return item


def _require_new(said: Sequence[SpokenItem], known: Sequence[StoredItem]) -> None:
    known_ids = {item.id for item in known}
    for item in said:
        if item.id in known_ids:
            raise InvalidRequestError(
                f"The item {item.id!r} is part of the response that this one goes on from already. Leave it out.",
                parameter="input",
            )
