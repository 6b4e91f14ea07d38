"""Generations as HTTP responses of server-sent events."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from quart import Response

from cortex_entrypoints.http.asgi_connections import current_request
from cortex_entrypoints.http.event_encoding import encode_sse
from cortex_entrypoints.http.event_responses import frame_response
from cortex_entrypoints.http.generation_log import LogReader
from cortex_entrypoints.http.in_flight import InFlight


async def generation_response(reading: AbstractAsyncContextManager[LogReader], in_flight: InFlight, /) -> Response:
    """Begins to read a generation and responds with its events; with 204 when none will ever follow.

    The current request reads until its answer is sent or its client is gone.

    Raises:
        CortexError: What keeps the reading from beginning, or that the server is stopping.
    """
    resources = current_request().resources
    resources.enter_context(in_flight.admitted())
    reader = await resources.enter_async_context(reading)
    return Response(status=204) if reader.is_at_end else frame_response(_frames(reader))


async def _frames(reader: LogReader) -> AsyncIterator[bytes]:
    """Writes all that is there at once: a client that reads slowly costs the fewest turns that way."""
    async for batch in reader:
        yield b"".join([encode_sse(event, sequence=sequence) for sequence, event in batch])
