"""What one connection may do to the server: Quart's ASGI classes with the ends tied that it leaves loose.

- A request owns its resources until its answer is sent or its client is gone. Quart closes a streamed body only if it
  began to send it, so what a handler opened must not hang on the body.
- A WebSocket client that sends faster than it is served waits, and is cut off if it goes on. Quart would buffer it all.
- An empty binary WebSocket message is a message. Quart takes it for a missing one and fails.
- A client that stops reading is given up. Otherwise its work would wait for it for ever.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import cached_property
from typing import Any, Final, TypeVar, cast

from hypercorn.typing import (
    ASGIFramework,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
    WebsocketScope,
)
from quart import Quart, Request, request
from quart.asgi import ASGIHTTPConnection, ASGIWebsocketConnection

ProxiedT = TypeVar("ProxiedT")

INBOUND_MESSAGES: Final = 8
"""WebSocket messages that may wait for their turn; with the largest message this bounds a connection's memory."""

SEND_PATIENCE_S: Final = 60.0
"""How long one piece of an answer may wait for the client to read."""

FAREWELL_S: Final = 2.0
"""How long a client that is cut off has to read why."""

_POLICY_VIOLATION: Final = 1008
_LEAVING: Final = ("http.disconnect", "websocket.disconnect")


class ScopedRequest(Request):
    """A request that owns resources."""

    @cached_property
    def resources(self) -> AsyncExitStack:
        """What is closed, in the handler's own task, when the request is over."""
        return AsyncExitStack()

    @cached_property
    def upload_ended(self) -> asyncio.Event:
        """Set once the client has sent the whole body."""
        return asyncio.Event()


def current_request() -> ScopedRequest:
    """Returns the request that is being handled."""
    return cast("ScopedRequest", unproxied(request))


def unproxied(proxy: ProxiedT) -> ProxiedT:
    """Returns what one of Quart's proxies stands for now, so that other tasks can use it too."""
    target: ProxiedT = cast("Any", proxy)._get_current_object()  # noqa: SLF001 - werkzeug documents it
    return target


class HttpConnection(ASGIHTTPConnection):
    """One HTTP request and its answer."""

    async def handle_request(self, request: Request, send: ASGISendCallable) -> None:
        """Handles the request, sends the answer and then closes the request's resources, whatever happened."""
        async with cast("ScopedRequest", request).resources:
            await super().handle_request(request, send)

    async def handle_messages(self, request: Request, receive: ASGIReceiveCallable) -> None:
        """Takes the body as it comes, until the client leaves."""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            if message["type"] == "http.request":
                self._take_body(cast("ScopedRequest", request), message["body"], more=message["more_body"])

    def _take_body(self, request: ScopedRequest, data: bytes, *, more: bool) -> None:
        request.body.append(data)
        if not more:
            request.body.set_complete()
            request.upload_ended.set()


class SocketConnection(ASGIWebsocketConnection):
    """One WebSocket connection.

    Attributes:
        inbound_patience_s: How long the client may wait for the server to take a message before it is cut off.
    """

    inbound_patience_s = 5.0

    def __init__(self, app: Quart, scope: WebsocketScope) -> None:
        super().__init__(app, scope)
        self.queue = asyncio.Queue(INBOUND_MESSAGES)

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serves the connection."""
        self._send = send
        await super().__call__(receive, send)

    async def handle_messages(self, receive: ASGIReceiveCallable) -> None:
        """Queues messages as they come, until the client leaves or sends more than it is served."""
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if event["type"] == "websocket.receive":
                text = event.get("text")
                if not await self._queued(text if text is not None else event.get("bytes") or b""):
                    await self._cut_off(receive)
                    return

    async def send_data(self, send: ASGISendCallable, data: str | bytes) -> None:
        """Sends a message, or drops it when the connection was closed in the meantime."""
        if not self._closed:
            await super().send_data(send, data)

    async def _queued(self, message: str | bytes) -> bool:
        try:
            async with asyncio.timeout(self.inbound_patience_s):
                await self.queue.put(message)
        except TimeoutError:
            return False
        return True

    async def _cut_off(self, receive: ASGIReceiveCallable) -> None:
        """Closes, and reads on for a moment: a client whose messages are not read never gets to read the close."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self.close_connection(self._send, _POLICY_VIOLATION, "Too many messages at once")
                while (await receive())["type"] != "websocket.disconnect":
                    pass


class ClientPatience:
    """ASGI middleware that bounds what a client can make the server wait for.

    A client that stops reading ends its request. What a client still sends when its request is over is thrown away:
    Hypercorn would wait for the application to take it, and never notice that the client has left.

    Args:
        app: The application.
        patience_s: How long one message to the client may wait.
    """

    def __init__(self, app: ASGIFramework, *, patience_s: float) -> None:
        self._app = app
        self._patience_s = patience_s
        self._discards: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Runs the application."""
        has_left = False

        async def watched_receive() -> ASGIReceiveEvent:
            nonlocal has_left
            event = await receive()
            has_left = event["type"] in _LEAVING
            return event

        async def bounded_send(message: ASGISendEvent) -> None:
            async with asyncio.timeout(self._patience_s):
                await send(message)

        try:
            await self._app(scope, watched_receive, bounded_send)
        finally:
            if scope["type"] != "lifespan" and not has_left:
                self._discard(receive)

    def _discard(self, receive: ASGIReceiveCallable) -> None:
        task = asyncio.create_task(_until_client_leaves(receive))
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)


async def _until_client_leaves(receive: ASGIReceiveCallable) -> None:
    while (await receive())["type"] not in _LEAVING:
        pass


def install_connections(app: Quart) -> None:
    """Makes the app use these classes."""
    app.request_class = ScopedRequest
    app.asgi_http_class = HttpConnection
    app.asgi_websocket_class = SocketConnection
    app.asgi_app = ClientPatience(app.asgi_app, patience_s=SEND_PATIENCE_S)  # type: ignore[method-assign]
