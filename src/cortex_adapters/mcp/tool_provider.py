"""Tools of MCP servers."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from cortex_adapters.mcp.argument_check import UnusableToolError
from cortex_adapters.mcp.configuration import McpServer
from cortex_adapters.mcp.offered_tools import OfferedTool
from cortex_adapters.mcp.supervised_server import McpServerState, SupervisedServer
from cortex_adapters.mcp.tool_results import output_of
from cortex_domain.errors import InvalidToolArgumentsError, ToolFailedError, ToolNotFoundError
from cortex_domain.ports.tool_provider import ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput

HEAD_START_S: Final = 4.0
"""How long after the start tools are waited for, so that a command that runs once finds them too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServerStatus:
    """How a server is.

    Attributes:
        name: Its name in the configuration.
        state: Whether its tools can be used.
        problem: Why not; None when they can, or nothing went wrong yet.
        tools: Names of what it offers.
    """

    name: str
    state: McpServerState
    problem: str | None
    tools: tuple[str, ...]


class McpToolProvider(ToolProvider):
    """Reaches servers and offers what they offer, each tool as `<server>__<tool>`.

    A server that is slow, gone or wrong loses its own tools until it is there again, and no other's.

    Args:
        servers: The servers; their names differ.
        version: Version of Cortex, which they are told.
    """

    def __init__(self, servers: Sequence[McpServer], /, *, version: str) -> None:
        self._begun_s = 0.0
        self._servers = tuple(SupervisedServer(server, version=version) for server in servers)

    async def start(self) -> None:
        """Begins to reach all servers, in the background; await it once."""
        self._begun_s = asyncio.get_running_loop().time()
        for server in self._servers:
            server.start()

    async def stop(self) -> None:
        """Ends all servers that were started, and what they have started."""
        await asyncio.gather(*(server.stop() for server in self._servers))

    async def settled(self) -> None:
        """Waits until each server is ready or has failed for the first time."""
        for server in self._servers:
            await server.settled.wait()

    def statuses(self) -> tuple[McpServerStatus, ...]:
        """Tells how each server is."""
        return tuple(
            McpServerStatus(
                name=server.server.name, state=server.state, problem=server.problem, tools=tuple(server.tools)
            )
            for server in self._servers
        )

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools of the servers that are ready; those that start just now get a moment to be."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._begun_s + HEAD_START_S):
                await self.settled()
        return [tool.descriptor for server in self._servers for tool in server.tools.values()]

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:  # noqa: D102
        server, tool = self._found(name)
        _require_fitting(tool, arguments)
        result = await server.call(tool, arguments, report=context.report_progress)
        return output_of(result, is_trusted=tool.descriptor.is_trusted)

    def _found(self, name: str) -> tuple[SupervisedServer, OfferedTool]:
        for server in self._servers:
            if name in server.tools:
                return server, server.tools[name]
        raise ToolNotFoundError(name=name)


def _require_fitting(tool: OfferedTool, arguments: Mapping[str, Any]) -> None:
    try:
        error = tool.check.error(arguments)
    except UnusableToolError as exc:
        raise ToolFailedError(f"The tool {tool.descriptor.name!r} {exc}.") from exc
    if error is not None:
        raise InvalidToolArgumentsError(error, name=tool.descriptor.name)
