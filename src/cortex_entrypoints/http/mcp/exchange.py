"""One request to the MCP server and its answer, as the rest of this server treats requests."""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable

from cortex_entrypoints.http.request_reading import BODY_PATIENCE_S, UPLOAD_PATIENCE_S
from cortex_entrypoints.http.request_watch import note_mounted
from cortex_entrypoints.observation.request_ids import REQUEST_ID_HEADER, current_request_id

Message = MutableMapping[str, Any]


class Exchange:
    """Notices that a client leaves or takes too long to say what it wants, and what it is answered.

    Args:
        receive: Where the client is heard.
        send: Where it is answered.
        route: What logs and metrics call it.

    Attributes:
        client_left: Set once nobody waits for the answer.
        has_answer: Whether an answer has begun.
    """

    def __init__(self, receive: ASGIReceiveCallable, send: ASGISendCallable, *, route: str) -> None:
        self.client_left = asyncio.Event()
        self.has_answer = False
        self._receive: Any = receive
        self._send: Any = send
        self._route = route
        self._has_heard_all = False

    async def receive(self) -> Message:
        """Hears the client; one that is too slow has left."""
        try:
            async with asyncio.timeout(None if self._has_heard_all else BODY_PATIENCE_S):
                message: Message = await self._receive()
        except TimeoutError:
            message = {"type": "http.disconnect"}
        if message["type"] == "http.disconnect":
            self.client_left.set()
        elif message["type"] == "http.request":
            self._has_heard_all = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Answers, with the headers that every answer of this server has."""
        if message["type"] == "http.response.start":
            self.has_answer = True
            note_mounted(self._route, message["status"])
            message = {**message, "headers": [*_without(message["headers"], b"cache-control"), *_own_headers()]}
            if message["status"] >= 400:
                await self._finish_upload()
        await self._send(message)

    async def _finish_upload(self) -> None:
        """Lets a refused client finish sending, within limits, so that it gets to read the refusal."""
        with suppress(TimeoutError):
            async with asyncio.timeout(UPLOAD_PATIENCE_S):
                while not (self._has_heard_all or self.client_left.is_set()):
                    await self.receive()


def _own_headers() -> list[tuple[bytes, bytes]]:
    return [
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (REQUEST_ID_HEADER.lower().encode(), (current_request_id() or "").encode()),
    ]


def _without(headers: Any, name: bytes) -> list[tuple[bytes, bytes]]:  # noqa: ANN401 - any iterable of pairs
    return [(key, value) for key, value in headers if key.lower() != name]
