"""Speaks MCP over streamable HTTP, and bounds what a server can make Cortex hold."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectSendStream
from mcp.client._transport import ReadStream, TransportStreams
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from cortex_adapters.mcp.configuration import HttpConnection
from cortex_adapters.mcp.pacing import Pace

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""Longest answer, or event of a stream of them."""

_CONNECT_S: Final = 10.0
_READ_S: Final = 600.0
"""How long a server may say nothing; calls have time limits of their own."""


class _AnswerTooLongError(httpx2.StreamError):
    pass


@asynccontextmanager
async def http_streams(connection: HttpConnection, /) -> AsyncIterator[TransportStreams]:
    """Opens the streams of a session; enter and leave it in one task."""
    client = httpx2.AsyncClient(
        # What is compressed would have to be bounded again once it is not.
        headers={**connection.headers, "Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(_CONNECT_S, read=_READ_S),
        transport=_BoundedTransport(),
    )
    sdk_streams = streamable_http_client(connection.url, http_client=client, max_sse_event_size=MAX_ANSWER_BYTES)
    async with client, sdk_streams as (received, sent), anyio.create_task_group() as tasks:
        paced, taken = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        tasks.start_soon(_pass_on, received, paced)
        with taken:
            yield taken, sent
        tasks.cancel_scope.cancel()


async def _pass_on(
    received: ReadStream[SessionMessage | Exception], paced: MemoryObjectSendStream[SessionMessage | Exception]
) -> None:
    pace = Pace()
    async with paced:
        async for message in received:
            await paced.send(message)
            await pace.keep()


class _BoundedTransport(httpx2.AsyncHTTPTransport):
    """Ends answers that are too long; a stream of events has no end, and the SDK bounds each event."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            await response.aclose()
            raise httpx2.DecodingError("The server compresses what was asked for as it is.", request=request)
        if not response.headers.get("Content-Type", "").lower().startswith("text/event-stream"):
            response.stream = _BoundedStream(cast("httpx2.AsyncByteStream", response.stream))
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_ANSWER_BYTES
        async for data in self._stream:
            left -= len(data)
            if left < 0:
                raise _AnswerTooLongError(f"The answer is longer than {MAX_ANSWER_BYTES} bytes.")
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()
