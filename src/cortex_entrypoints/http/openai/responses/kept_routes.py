"""The routes of responses that are kept, or running in the background."""

from typing import Literal

from quart import Blueprint, Response
from typing_extensions import TypedDict
from werkzeug.routing import BaseConverter

from cortex_domain.errors import (
    InvalidRequestError,
    ResponseItemNotFoundError,
    ResponseNotFoundError,
    ShuttingDownError,
    StorageError,
)
from cortex_domain.ports import ResponseStore
from cortex_domain.stored_responses import StoredResponse
from cortex_entrypoints.http.edge_errors import ResponseNotInBackgroundError
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.openai.error_objects import OPENAI_ERRORS
from cortex_entrypoints.http.openai.responses.background import BackgroundResponses
from cortex_entrypoints.http.openai.responses.item_list import ItemList, item_list
from cortex_entrypoints.http.openai.responses.queries import (
    InputItemsQuery,
    Query,
    RetrieveQuery,
    parameters_of,
    read_query,
)
from cortex_entrypoints.http.openai.responses.response_object import ResponseObject
from cortex_entrypoints.http.openai.responses.response_stream import frames_after
from cortex_entrypoints.http.openai.responses.stream_events import ResponseStreamEvent
from cortex_entrypoints.http.operation_notes import OperationNotes, documented

_ERRORS = (InvalidRequestError, ResponseNotFoundError, StorageError)


class ResponseIdConverter(BaseConverter):
    """Reads ids of responses, and leaves other names to other routes."""

    regex = "resp_[^/]+"


class DeletedResponse(TypedDict):
    """A response that is no longer kept."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


def add_kept_routes(routes: Blueprint, store: ResponseStore, background: BackgroundResponses) -> None:
    """Adds them to the routes of responses."""

    @routes.get("/<response:response_id>")
    @documented(
        OperationNotes(
            tag="openai",
            answer=ResponseObject,
            answer_events=ResponseStreamEvent,
            parameters=parameters_of(RetrieveQuery),
            errors=(*_ERRORS, ResponseNotInBackgroundError, ShuttingDownError),
            error_form=OPENAI_ERRORS,
        )
    )
    async def retrieve_response(response_id: str) -> Response:
        """Gives a response back, or, with `stream`, the events of one in the background."""
        query = read_query(RetrieveQuery)
        running = background.find(response_id, owner=query.owner)
        if running is not None and query.is_stream:
            return background.follow(running, after=query.after)
        if running is not None:
            return json_response(running.stream.response)
        found = await store.get(response_id, owner=query.owner)
        return _replayed(found, after=query.after) if query.is_stream else _given(found)

    @routes.delete("/<response:response_id>")
    @documented(
        OperationNotes(
            tag="openai",
            answer=DeletedResponse,
            parameters=parameters_of(Query),
            errors=_ERRORS,
            error_form=OPENAI_ERRORS,
        )
    )
    async def delete_response(response_id: str) -> Response:
        """Forgets a response; one in the background ends.

        Those that go on from it can no longer be gone on from.
        """
        owner = read_query(Query).owner
        await background.cancel(response_id, owner=owner)
        await store.delete(response_id, owner=owner)
        return json_response(DeletedResponse(id=response_id, object="response", deleted=True))

    @routes.get("/<response:response_id>/input_items")
    @documented(
        OperationNotes(
            tag="openai",
            answer=ItemList,
            parameters=parameters_of(InputItemsQuery),
            errors=(*_ERRORS, ResponseItemNotFoundError),
            error_form=OPENAI_ERRORS,
        )
    )
    async def list_input_items(response_id: str) -> Response:
        """Lists what a response was asked with, the conversation before it included."""
        query = read_query(InputItemsQuery)
        *before, response = await store.history(response_id, owner=query.owner)
        items = [item for earlier in before for item in earlier.items]
        return json_response(item_list([*items, *response.input_items], query))

    @routes.post("/<response:response_id>/cancel")
    @documented(
        OperationNotes(
            tag="openai",
            answer=ResponseObject,
            parameters=parameters_of(Query),
            errors=(*_ERRORS, ResponseNotInBackgroundError),
            error_form=OPENAI_ERRORS,
        )
    )
    async def cancel_response(response_id: str) -> Response:
        """Ends a response in the background with what there is; one that has ended stays as it is."""
        owner = read_query(Query).owner
        await background.cancel(response_id, owner=owner)
        found = await store.get(response_id, owner=owner)
        _require_background(found)
        return _given(found)


def _given(found: StoredResponse) -> Response:
    return Response(found.content, content_type="application/json")


def _replayed(found: StoredResponse, *, after: int) -> Response:
    _require_background(found)
    return Response(frames_after(found.events, after), content_type="text/event-stream; charset=utf-8")


def _require_background(found: StoredResponse) -> None:
    if not found.events:
        raise ResponseNotInBackgroundError(response_id=found.id)
