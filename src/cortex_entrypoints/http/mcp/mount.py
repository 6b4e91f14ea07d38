"""Puts an MCP server beside the application, at `/mcp`.

The SDK speaks ASGI and knows sessions, versions and streams. What it does not know is this server's: whom it answers
to, how long it waits, what it counts and logs, and how it stops.
"""

import asyncio
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any, Final

from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

from cortex_domain.errors import RequestRefusedError, ShuttingDownError
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.mcp.exchange import MAX_MESSAGE_BYTES, Exchange
from cortex_entrypoints.http.mcp.protocol_server import CLIENT_LEFT

PATH: Final = "/mcp"

MAX_SESSIONS: Final = 256
"""Sessions of the protocol's older versions that are open at once; newer ones have none."""

_SERVER_ERROR: Final = -32000
"""First of the codes that JSON-RPC leaves to servers."""

Check = Callable[[str | None, str | None], None]
"""Raises `RequestRefusedError` for a Host and an Origin header that are not to be answered."""


class McpMount:
    """ASGI middleware that serves MCP at one path and leaves all others to the application.

    Args:
        app: The application; it also answers strangers, in its own words.
        server: Answers clients.
        check: Knows strangers.
        allowed_origins: Web origins whose pages may call.
        in_flight: Counts what runs, and lets the server stop.
    """

    def __init__(
        self,
        app: ASGIFramework,
        *,
        server: Server[Any],
        check: Check,
        allowed_origins: tuple[str, ...],
        in_flight: InFlight,
    ) -> None:
        self._app = app
        self._check = check
        self._in_flight = in_flight
        self._sessions = StreamableHTTPSessionManager(
            server, max_sessions=MAX_SESSIONS, max_request_body_size=MAX_MESSAGE_BYTES
        )
        self._served = CORSMiddleware(
            self._sessions.asgi_app,
            allow_origins=allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["Mcp-Session-Id", "Mcp-Protocol-Version"],
        )
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to keep sessions, in a task of its own: the SDK has to end them in the task that began."""
        began = asyncio.Event()
        self._running = asyncio.create_task(self._keep_sessions(began))
        await began.wait()

    async def stop(self) -> None:
        """Ends all sessions."""
        self._stopping.set()
        if self._running is not None:
            await self._running

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["path"] != PATH or self._is_strange(scope):
            await self._app(scope, receive, send)
            return
        exchange = Exchange(receive, send, route=PATH)
        try:
            await self._serve({**scope, CLIENT_LEFT: exchange.client_left}, exchange)
        finally:
            exchange.client_left.set()

    async def _keep_sessions(self, began: asyncio.Event) -> None:
        async with self._sessions.run():
            began.set()
            await self._stopping.wait()

    def _is_strange(self, scope: HTTPScope) -> bool:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._check(headers.get(b"host"), headers.get(b"origin"))
        except RequestRefusedError:
            return True
        return False

    async def _serve(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None:
        try:
            await exchange.hear()
        except TimeoutError:
            await _refusal(408, "The request takes too long to arrive.")(scope, exchange.receive, exchange.send)
            return
        if exchange.client_left.is_set():
            return
        if scope["method"] == "GET":
            await self._until_draining(self._served(scope, exchange.receive, exchange.send))
        else:
            await self._until_stopped(scope, exchange)

    async def _until_stopped(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None:
        try:
            async with self._in_flight.work():
                await self._served(scope, exchange.receive, exchange.send)
        except ShuttingDownError as exc:
            if not exchange.has_answer:
                refusal = _refusal(503, exc.message, retry_after_s=exc.retry_after_s)
                await refusal(scope, exchange.receive, exchange.send)

    async def _until_draining(self, serving: Coroutine[Any, Any, None]) -> None:
        """Serves a stream of news, which has no end of its own."""
        tasks = asyncio.create_task(serving), asyncio.create_task(self._in_flight.draining.wait())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not tasks[0].cancelled():
            tasks[0].result()


def _refusal(status: int, message: str, *, retry_after_s: float | None = None) -> JSONResponse:
    said = {"jsonrpc": "2.0", "id": None, "error": {"code": _SERVER_ERROR, "message": message}}
    headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:.0f}"}
    return JSONResponse(said, status_code=status, headers=headers)
