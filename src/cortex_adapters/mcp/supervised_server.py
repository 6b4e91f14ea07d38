"""Keeps one MCP server running and knows what it offers.

The SDK's contexts have to be entered and left by one task, so each server has a task of its own, which does nothing
else. Uses of tools come from any task and are answered through the open session.
"""

import asyncio
import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from mcp.types import CallToolResult

from cortex_adapters.mcp.configuration import HttpConnection, McpServer
from cortex_adapters.mcp.offered_tools import OfferedTool, offered_tools
from cortex_adapters.mcp.server_session import Progress, ServerSession, ServerUnavailableError, opened_session
from cortex_domain.errors import ToolFailedError

logger = logging.getLogger(__name__)

START_PATIENCE_S: Final = 60.0
"""How long a server may take to be started, greeted and asked what it offers."""

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_STEADY_S: Final = 60.0
"""A server that was there for so long has its pauses counted from the beginning again."""

_RELISTING_S: Final = 300.0
"""How often a server that cannot tell is asked what it offers."""

_LEAST_RELISTING_S: Final = 1.0
"""How long news of a server wait for more of them."""


class McpServerState(StrEnum):
    """STARTING: it is being reached for the first time. READY: its tools can be used. WAITING: it is tried again later.

    STOPPED: it is not started, or no longer.
    """

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    STOPPED = "stopped"


class SupervisedServer:
    """One server.

    Args:
        server: How to reach it.
        version: Version of Cortex, which it is told.

    Attributes:
        server: What it was made with.
        state: How it is.
        problem: Why it is not ready; None when it is, or nothing went wrong yet.
        tools: What it offers now, by name in Cortex.
        settled: Set once it was ready or failed for the first time.
    """

    def __init__(self, server: McpServer, /, *, version: str) -> None:
        self.server = server
        self.state = McpServerState.STOPPED
        self.problem: str | None = None
        self.tools: Mapping[str, OfferedTool] = {}
        self.settled = asyncio.Event()
        self._version = version
        self._session: ServerSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Begins to reach it, in the background."""
        self.state = McpServerState.STARTING
        self._task = asyncio.create_task(self._supervise(), name=f"MCP server {self.server.name}")

    async def stop(self) -> None:
        """Ends it and waits until it has ended."""
        if self._task is None:
            return
        self._is_stopping = True
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        self.state = McpServerState.STOPPED
        self.settled.set()

    async def call(self, tool: OfferedTool, arguments: Mapping[str, Any], /, *, report: Progress) -> CallToolResult:
        """Uses a tool.

        Raises:
            InvalidToolArgumentsError: The server says that the arguments are wrong.
            ToolFailedError: It failed, or the server is gone.
        """
        if self._session is None:
            message = f"The MCP server {self.server.name!r} is not there at the moment."
            raise ToolFailedError(message, reason="server_gone", is_transient=True)
        name, timeout_s = tool.descriptor.name, tool.descriptor.timeout_s
        return await self._session.call(tool.remote_name, arguments, name=name, timeout_s=timeout_s, report=report)

    async def _supervise(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._is_stopping:  # the SDK can take a cancellation for its own while it closes
            begun_s = asyncio.get_running_loop().time()
            await self._run_once()
            if asyncio.get_running_loop().time() - begun_s > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            self.settled.set()
            if not self._is_stopping:
                await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _run_once(self) -> None:
        try:
            await self._serve()
        except ServerUnavailableError as exc:
            self._note_problem(str(exc))
        except TimeoutError:
            self._note_problem(f"it did not say within {START_PATIENCE_S:g} seconds what it offers")
        except Exception as exc:  # whatever a foreign server makes the SDK raise is this server's problem alone
            logger.debug("Supervising the MCP server %r failed", self.server.name, exc_info=exc)
            self._note_problem(f"{type(exc).__name__}: {exc}")

    async def _serve(self) -> None:
        """Keeps a session open until its server is gone, which is raised."""
        async with (
            asyncio.timeout(START_PATIENCE_S) as starting,
            opened_session(self.server, version=self._version) as session,
        ):
            try:
                await self._offer(session, starting)
            finally:  # before the session is closed, which takes a while
                self._session, self.tools = None, {}

    async def _offer(self, session: ServerSession, starting: asyncio.Timeout) -> None:
        while True:
            session.has_news.clear()
            self.tools = await asyncio.to_thread(offered_tools, self.server, await session.tools())
            starting.reschedule(None)
            self._note_ready(session)
            await self._news(session)

    async def _news(self, session: ServerSession) -> None:
        relisting_s = _RELISTING_S if isinstance(self.server.connection, HttpConnection) else None
        try:
            async with asyncio.timeout(relisting_s):
                await session.has_news.wait()
        except TimeoutError:
            return
        if not session.has_ended:
            await asyncio.sleep(_LEAST_RELISTING_S)

    def _note_ready(self, session: ServerSession) -> None:
        if self.state is not McpServerState.READY:
            logger.info("The MCP server %r offers %d tools", self.server.name, len(self.tools))
        self._session, self.state, self.problem = session, McpServerState.READY, None
        self.settled.set()

    def _note_problem(self, problem: str) -> None:
        if self.problem != problem:  # the same again is no news
            logger.warning("The MCP server %r is not there: %s", self.server.name, problem)
        self.state, self.problem = McpServerState.WAITING, problem
