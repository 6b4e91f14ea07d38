"""A conversation with one MCP server: what it offers, and uses of that."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Final

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client._transport import TransportStreams
from mcp.client.session import IncomingMessage
from mcp.shared.dispatcher import ProgressFnT
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    REQUEST_TIMEOUT,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    PaginatedRequestParams,
    Tool,
    ToolListChangedNotification,
)
from pydantic import ValidationError

from cortex_adapters.mcp.configuration import HttpConnection, McpServer
from cortex_adapters.mcp.http_transport import http_streams
from cortex_adapters.mcp.stdio_transport import ServerProgram, running_program
from cortex_domain.errors import InvalidToolArgumentsError, ToolFailedError

logger = logging.getLogger(__name__)

MAX_TOOLS: Final = 512
"""How many tools of one server are offered."""

_MAX_PAGES: Final = 64
_LISTING_S: Final = 30.0
_PARTING_S: Final = 0.05
"""How long a cancelled use waits for the news of it to leave, and for the server to heed them."""


Progress = Callable[[str, float | None], None]


class ServerUnavailableError(Exception):
    """A server cannot be started, reached or understood, or is gone; the message says why, for the operator."""


class ServerSession:
    """Asks a server, from any task.

    Args:
        server: The server.
        client: The SDK's client, entered.
        has_news: Set when what the server offers may have changed, or the server may be gone.
        ends: Knows why the connection ended.
    """

    def __init__(self, server: McpServer, client: Client, has_news: asyncio.Event, ends: "_Ends") -> None:
        self.has_news = has_news
        self._server = server
        self._client = client
        self._ends = ends

    @property
    def has_ended(self) -> bool:
        """Whether the server is known to be gone."""
        return self._ends.has_ended

    async def tools(self) -> list[Tool]:
        """Asks what the server offers now.

        Raises:
            MCPError: It does not say.
        """
        found: list[Tool] = []
        cursor = None
        for _ in range(_MAX_PAGES):
            page = await self._client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            found += page.tools
            cursor = page.next_cursor
            if cursor is None or len(found) > MAX_TOOLS:
                break
        if cursor is not None or len(found) > MAX_TOOLS:
            logger.warning("The MCP server %r offers more than %d tools; the rest is left out", self._name, MAX_TOOLS)
        return found[:MAX_TOOLS]

    async def call(
        self, tool: str, arguments: Mapping[str, Any], /, *, name: str, timeout_s: float, report: Progress
    ) -> CallToolResult:
        """Uses a tool; a use that is cancelled is cancelled at the server.

        Args:
            tool: What the server calls it.
            arguments: What it is told.
            name: What Cortex calls it, for errors.
            timeout_s: When to give up.
            report: Told of progress.

        Raises:
            InvalidToolArgumentsError: The server says that the arguments are wrong.
            ToolFailedError: The server says that it cannot, says what is no result, says nothing, or is gone.
        """
        try:
            return await self._client.session.send_request(
                CallToolRequest(params=CallToolRequestParams(name=tool, arguments=dict(arguments))),
                CallToolResult,
                request_read_timeout_seconds=timeout_s,
                progress_callback=_progress(report),
            )
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await asyncio.sleep(_PARTING_S)
            raise
        except MCPError as exc:
            raise self._translated(exc, name=name) from exc
        except ValidationError as exc:
            raise ToolFailedError(f"The MCP server {self._name!r} answered with what is no result.") from exc

    @property
    def _name(self) -> str:
        return self._server.name

    def _translated(self, error: MCPError, *, name: str) -> InvalidToolArgumentsError | ToolFailedError:
        match error.code:
            case code if code == INVALID_PARAMS:
                return InvalidToolArgumentsError(error.message, name=name)
            case code if code == REQUEST_TIMEOUT:
                return ToolFailedError(f"The MCP server {self._name!r} did not answer in time.", reason="timeout")
            case code if code == CONNECTION_CLOSED:
                self.has_news.set()
                message = f"The connection to the MCP server {self._name!r} ended: {self._ends.reason()}."
                return ToolFailedError(message, reason="server_gone", is_transient=True)
            case _:
                self.has_news.set()
                return ToolFailedError(f"The MCP server {self._name!r} says: {error.message}")


@asynccontextmanager
async def opened_session(server: McpServer, /, *, version: str) -> AsyncIterator[ServerSession]:
    """Starts or reaches a server and greets it; enter and leave it in one task.

    Args:
        server: The server.
        version: Version of Cortex, which the server is told.

    Raises:
        ServerUnavailableError: It cannot be started or reached, does not answer as a server of this protocol does, or
            its connection failed during the block.
    """
    ends = _Ends()
    try:
        async with AsyncExitStack() as stack:
            yield await _greeted(stack, server, ends, version=version)
    except (OSError, MCPError, ValidationError, httpx2.HTTPError, ExceptionGroup) as exc:
        raise ServerUnavailableError(ends.reason(exc)) from exc


class _Ends:
    """Knows why a connection ended: what the transport saw says more than what the protocol makes of it."""

    def __init__(self) -> None:
        self.program: ServerProgram | None = None

    @property
    def has_ended(self) -> bool:
        return self.program is not None and self.program.ended.is_set()

    def reason(self, error: Exception | None = None) -> str:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, ValidationError):
            return "it answers with what the protocol does not allow"
        if error is not None and not _is_closed(error):
            return str(error) or type(error).__name__
        return "it cannot be reached" if self.program is None else self.program.reason


def _is_closed(error: Exception) -> bool:
    return isinstance(error, MCPError) and error.code == CONNECTION_CLOSED


async def _greeted(stack: AsyncExitStack, server: McpServer, ends: _Ends, *, version: str) -> ServerSession:
    streams = await _opened_streams(stack, server, ends)
    has_news = asyncio.Event()

    async def heed(message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            has_news.set()

    client = Client(
        _Opened(streams),
        read_timeout_seconds=_LISTING_S,
        message_handler=heed,
        client_info=Implementation(name="cortex", version=version),
        cache=None,
    )
    await stack.enter_async_context(client)
    if ends.program is not None:
        watch = asyncio.create_task(_passed_on(ends.program.ended, has_news))
        stack.callback(watch.cancel)
    return ServerSession(server, client, has_news, ends)


async def _opened_streams(stack: AsyncExitStack, server: McpServer, ends: _Ends) -> TransportStreams:
    if isinstance(server.connection, HttpConnection):
        return await stack.enter_async_context(http_streams(server.connection))
    ends.program, streams = await stack.enter_async_context(running_program(server.name, server.connection))
    return streams


class _Opened:
    """A transport whose streams somebody else closes."""

    def __init__(self, streams: TransportStreams) -> None:
        self._streams = streams

    async def __aenter__(self) -> TransportStreams:
        return self._streams

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes nothing."""


async def _passed_on(event: asyncio.Event, to: asyncio.Event) -> None:
    await event.wait()
    to.set()


def _progress(report: Progress) -> ProgressFnT:
    async def told(progress: float, total: float | None, message: str | None) -> None:
        is_share = total is not None and total > 0 and 0 <= progress <= total
        report(message or "", progress / total if is_share and total else None)

    return told
