"""One request to the MCP server and its answer, as the rest of this server treats requests."""

import asyncio
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable

from cortex_entrypoints.http.request_reading import BODY_PATIENCE_S, UPLOAD_PATIENCE_S
from cortex_entrypoints.http.request_watch import note_mounted
from cortex_entrypoints.observation.request_ids import REQUEST_ID_HEADER, current_request_id

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Longest message of a client; the SDK refuses longer ones with 413."""

Message = MutableMapping[str, Any]


class Exchange:
    """Notices that a client leaves or takes too long to say what it wants, and how it is answered.

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
        self._heard: deque[Message] = deque()

    async def hear(self) -> None:
        """Waits for all that the client says, as far as it is not too long: the SDK takes a pause for a bug.

        Raises:
            TimeoutError: The client takes too long.
        """
        heard_bytes = 0
        async with asyncio.timeout(BODY_PATIENCE_S):
            while not (self._has_heard_all or self.client_left.is_set()) and heard_bytes <= MAX_MESSAGE_BYTES:
                self._heard.append(await self._next())
                heard_bytes += len(self._heard[-1].get("body", b""))

    async def receive(self) -> Message:
        """Gives what the client said, and then what comes of it next."""
        return self._heard.popleft() if self._heard else await self._next()

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
                    await self._next()

    async def _next(self) -> Message:
        message: Message = await self._receive()
        if message["type"] == "http.disconnect":
            self.client_left.set()
        elif message["type"] == "http.request":
            self._has_heard_all = not message.get("more_body", False)
        return message


def _own_headers() -> list[tuple[bytes, bytes]]:
    return [
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (REQUEST_ID_HEADER.lower().encode(), (current_request_id() or "").encode()),
    ]


def _without(headers: Any, name: bytes) -> list[tuple[bytes, bytes]]:  # noqa: ANN401 - any iterable of pairs
    return [(key, value) for key, value in headers if key.lower() != name]
