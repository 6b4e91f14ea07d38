"""Event streams as HTTP responses of server-sent events."""

import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TypeVar

from quart import Response

from cortex_domain.errors import CortexError
from cortex_domain.events import GenerationEvent, PullEvent
from cortex_entrypoints.http.asgi_connections import current_request
from cortex_entrypoints.http.error_responses import error_facts, log_error
from cortex_entrypoints.http.event_encoding import encode_sse
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.response_bodies import ErrorEvent
from cortex_entrypoints.http.stream_ending import LAST_EVENTS, until_last

logger = logging.getLogger(__name__)

EventT = TypeVar("EventT", bound=GenerationEvent | PullEvent)


async def event_response(
    stream: AbstractAsyncContextManager[AsyncIterator[EventT]], in_flight: InFlight, /
) -> Response:
    """Enters a stream and responds with its events, as the native API writes them.

    Raises:
        CortexError: What entering the stream raises, or that the server is stopping.
    """
    sequence = itertools.count()

    def encode_error(error: Exception) -> bytes:
        return encode_sse(ErrorEvent(error=error_facts(error)), sequence=next(sequence))

    return await encoded_response(
        stream, in_flight, encode=lambda event: encode_sse(event, sequence=next(sequence)), encode_error=encode_error
    )


async def encoded_response(
    stream: AbstractAsyncContextManager[AsyncIterator[EventT]],
    in_flight: InFlight,
    /,
    *,
    encode: Callable[[EventT], bytes],
    encode_error: Callable[[Exception], bytes],
    before_last: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """Enters a stream and responds with its events.

    A stream that refuses to be entered raises here, where an error is still an HTTP status. The current request owns
    the stream from then on and leaves it when the answer is sent or the client is gone, be that before the first byte.

    Args:
        stream: The stream.
        in_flight: Lets it in and ends it when the server stops.
        encode: Writes one event as frames.
        encode_error: Writes the error that the stream ends with as a frame.
        before_last: Awaited when the last event is encoded, before it is sent; None does nothing. What it raises ends
            the stream instead.

    Raises:
        CortexError: What entering the stream raises, or that the server is stopping.
    """
    events = await current_request().resources.enter_async_context(in_flight.following(stream))
    return frame_response(_frames(events, encode, encode_error, before_last))


def frame_response(frames: AsyncIterator[bytes], /) -> Response:
    """Responds with frames of server-sent events."""
    response = Response(frames, content_type="text/event-stream; charset=utf-8")
    response.timeout = None
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _frames(
    events: AsyncIterator[EventT],
    encode: Callable[[EventT], bytes],
    encode_error: Callable[[Exception], bytes],
    before_last: Callable[[], Awaitable[None]] | None,
) -> AsyncIterator[bytes]:
    try:
        async with aclosing(until_last(events)) as remaining:
            async for event in remaining:
                frames = encode(event)
                if before_last is not None and isinstance(event, LAST_EVENTS):
                    await before_last()
                yield frames
    except CortexError as error:
        log_error(error)
        yield encode_error(error)
    except Exception as error:
        logger.exception("A stream failed")
        yield encode_error(error)
