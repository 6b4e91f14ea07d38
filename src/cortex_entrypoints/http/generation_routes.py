"""Generations that were begun as a stream: read on after a cut, or cancelled."""

import re
from typing import Final

from quart import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from cortex_domain.errors import (
    GenerationNotFoundError,
    GeneratorBusyError,
    GeneratorFailedError,
    InsufficientMemoryError,
    InvalidModelError,
    InvalidRequestError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    ModelNotLoadedError,
    ShuttingDownError,
    StorageError,
)
from cortex_entrypoints.http.edge_errors import EventsNoLongerKeptError, UnknownEventError
from cortex_entrypoints.http.generation_log import GenerationStreamEvent
from cortex_entrypoints.http.generation_responses import generation_response
from cortex_entrypoints.http.generations import Generations
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.operation_notes import OperationNotes, documented

_EVENT_ID: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_EVENT_ID_SCHEMA: Final = {"type": "string", "pattern": f"^({_EVENT_ID.pattern})$"}
_READING_PARAMETERS: Final = (
    {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The last event that the client has. Empty or left out: none.",
        "schema": _EVENT_ID_SCHEMA,
    },
    {
        "name": "last_event_id",
        "in": "query",
        "description": "The same for clients that cannot set headers; the header wins.",
        "schema": _EVENT_ID_SCHEMA,
    },
)
_READING_ERRORS = (
    InvalidRequestError,
    UnknownEventError,
    GenerationNotFoundError,
    EventsNoLongerKeptError,
    ModelNotFoundError,
    ModelNotDownloadedError,
    InvalidModelError,
    InsufficientMemoryError,
    GeneratorBusyError,
    GeneratorFailedError,
    ModelNotLoadedError,
    ShuttingDownError,
    StorageError,
)


def generation_routes(generations: Generations, in_flight: InFlight) -> Blueprint:
    """Builds the routes below `/api/generations`."""
    routes = Blueprint("generations", __name__, url_prefix="/api/generations")

    @routes.get("/<generation_id>/events")
    @documented(
        OperationNotes(
            tag="generations",
            events=GenerationStreamEvent,
            parameters=_READING_PARAMETERS,
            may_be_empty=True,
            errors=_READING_ERRORS,
        )
    )
    async def read_generation(generation_id: str) -> Response:
        """Reads a generation on after a cut.

        Begins after the event that the header Last-Event-ID names, as browsers do by themselves, or the query
        parameter last_event_id; without either, with the first event. A suspended generation goes on. 204 when the
        client has had the last event.
        """
        if request.method == "HEAD":  # nobody would read what it starts
            raise MethodNotAllowed(["GET"])
        return await generation_response(generations.followed(generation_id, after=_last_event_id()), in_flight)

    @routes.delete("/<generation_id>")
    @documented(OperationNotes(tag="generations", status=204, errors=(GenerationNotFoundError,)))
    async def cancel_generation(generation_id: str) -> Response:
        """Ends a generation. Its readers get a `done` with the finish_reason `cancelled`; one that has ended stays."""
        await generations.cancel(generation_id)
        return Response(status=204)

    return routes


def _last_event_id() -> int | None:
    """Returns the last event that the client has; the header wins, and an empty one is none, as in a browser."""
    written = request.headers.get("Last-Event-ID") or request.args.get("last_event_id") or ""
    if not written:
        return None
    if _EVENT_ID.fullmatch(written) is None:
        raise InvalidRequestError(
            "Last-Event-ID must be the id of an event: a whole number, at least 0.", parameter="Last-Event-ID"
        )
    return int(written)
