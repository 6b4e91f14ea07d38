"""The routes below `/v1/responses`."""

from collections.abc import AsyncIterator
from typing import Literal

from quart import Blueprint, Response
from typing_extensions import TypedDict

from cortex_domain.errors import InvalidRequestError, ResponseItemNotFoundError, ResponseNotFoundError, StorageError
from cortex_domain.events import GenerationEvent
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.chat_routes import CHAT_ERRORS
from cortex_entrypoints.http.edge_errors import PreviousResponseNotFoundError, ResponseNotInBackgroundError
from cortex_entrypoints.http.event_responses import encoded_response
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.openai.error_objects import OPENAI_ERRORS, answer_openai_errors
from cortex_entrypoints.http.openai.responses.body import ResponseBody
from cortex_entrypoints.http.openai.responses.conversation import Conversation, conversation_of, stored_response
from cortex_entrypoints.http.openai.responses.item_list import ItemList, item_list
from cortex_entrypoints.http.openai.responses.queries import (
    InputItemsQuery,
    Query,
    RetrieveQuery,
    parameters_of,
    read_query,
)
from cortex_entrypoints.http.openai.responses.response_object import ResponseObject
from cortex_entrypoints.http.openai.responses.response_stream import ResponseStream
from cortex_entrypoints.http.openai.responses.stream_events import ResponseStreamEvent
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_bodies import ChatDefaults
from cortex_entrypoints.http.request_reading import read_body
from cortex_entrypoints.http.stream_ending import until_last

_NAMES = {
    "logprobs": "top_logprobs",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "output": "text.format",
    "owner": "user",
    "reasoning_effort": "reasoning.effort",
}
_ASKING_ERRORS = (*CHAT_ERRORS, PreviousResponseNotFoundError, ResponseItemNotFoundError)
_FINDING_ERRORS = (InvalidRequestError, ResponseNotFoundError, StorageError)


class DeletedResponse(TypedDict):
    """A response that is no longer stored."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


def response_routes(cortex: Cortex, defaults: ChatDefaults, in_flight: InFlight, *, log_refusals: bool) -> Blueprint:
    """Builds the routes.

    Args:
        cortex: The use cases.
        defaults: What a request gets that leaves something open.
        in_flight: Lets work in and ends it when the server stops.
        log_refusals: Whether to log the traceback of refused requests too.
    """
    routes = Blueprint("responses", __name__, url_prefix="/v1/responses")
    answer_openai_errors(routes, log_refusals=log_refusals, names=_NAMES)
    store = cortex.response_store

    async def keep(response: ResponseObject, conversation: Conversation) -> None:
        if response["store"]:
            await store.put(stored_response(response, conversation))

    @routes.post("")
    @documented(
        OperationNotes(
            tag="openai",
            body=ResponseBody,
            answer=ResponseObject,
            answer_events=ResponseStreamEvent,
            errors=_ASKING_ERRORS,
            error_form=OPENAI_ERRORS,
        )
    )
    async def create_response() -> Response:
        """Answers, in one piece or, with `stream`, as it is generated."""
        body = await read_body(ResponseBody)
        conversation = await conversation_of(body, store)
        request = body.to_domain(defaults, conversation.messages, owner=conversation.owner)
        stream = ResponseStream(body, request, now_s=cortex.clock.now_s)
        generation = cortex.generate_text(request)
        if body.stream:
            return await encoded_response(
                generation,
                in_flight,
                encode=stream.encode,
                encode_error=stream.encode_error,
                before_last=lambda: keep(stream.response, conversation),
            )
        async with in_flight.following(generation) as events:
            response = await _read(events, stream)
            await keep(response, conversation)
        return json_response(response)

    @routes.get("/<response_id>")
    @documented(
        OperationNotes(
            tag="openai",
            answer=ResponseObject,
            parameters=parameters_of(RetrieveQuery),
            errors=_FINDING_ERRORS,
            error_form=OPENAI_ERRORS,
        )
    )
    async def retrieve_response(response_id: str) -> Response:
        """Gives a stored response back."""
        found = await store.get(response_id, owner=read_query(RetrieveQuery).owner)
        return Response(found.content, content_type="application/json")

    @routes.delete("/<response_id>")
    @documented(
        OperationNotes(
            tag="openai",
            answer=DeletedResponse,
            parameters=parameters_of(Query),
            errors=_FINDING_ERRORS,
            error_form=OPENAI_ERRORS,
        )
    )
    async def delete_response(response_id: str) -> Response:
        """Forgets a stored response. Those that go on from it can no longer be gone on from."""
        await store.delete(response_id, owner=read_query(Query).owner)
        return json_response(DeletedResponse(id=response_id, object="response", deleted=True))

    @routes.get("/<response_id>/input_items")
    @documented(
        OperationNotes(
            tag="openai",
            answer=ItemList,
            parameters=parameters_of(InputItemsQuery),
            errors=(*_FINDING_ERRORS, ResponseItemNotFoundError),
            error_form=OPENAI_ERRORS,
        )
    )
    async def list_input_items(response_id: str) -> Response:
        """Lists what a stored response was asked with, the conversation before it included."""
        query = read_query(InputItemsQuery)
        *before, response = await store.history(response_id, owner=query.owner)
        items = [item for earlier in before for item in earlier.items]
        return json_response(item_list([*items, *response.input_items], query))

    @routes.post("/<response_id>/cancel")
    @documented(
        OperationNotes(
            tag="openai",
            answer=ResponseObject,
            parameters=parameters_of(Query),
            errors=(*_FINDING_ERRORS, ResponseNotInBackgroundError),
            error_form=OPENAI_ERRORS,
        )
    )
    async def cancel_response(response_id: str) -> Response:
        """Refuses to cancel: what is stored is complete, because nothing is generated in the background."""
        found = await store.get(response_id, owner=read_query(Query).owner)
        raise ResponseNotInBackgroundError(response_id=found.id)

    return routes


async def _read(events: AsyncIterator[GenerationEvent], stream: ResponseStream) -> ResponseObject:
    async for event in until_last(events):
        for _ in stream.take(event):
            pass
    return stream.response
