"""Generations that were begun as a stream: read on after a cut, or cancelled."""

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
from cortex_entrypoints.http.last_event_id import READING_PARAMETERS, last_event_id
from cortex_entrypoints.http.operation_notes import OperationNotes, documented

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
            parameters=READING_PARAMETERS,
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
        return await generation_response(generations.followed(generation_id, after=last_event_id()), in_flight)

    @routes.delete("/<generation_id>")
    @documented(OperationNotes(tag="generations", status=204, errors=(GenerationNotFoundError,)))
    async def cancel_generation(generation_id: str) -> Response:
        """Ends a generation. Its readers get a `done` with the finish_reason `cancelled`; one that has ended stays."""
        await generations.cancel(generation_id)
        return Response(status=204)

    return routes
