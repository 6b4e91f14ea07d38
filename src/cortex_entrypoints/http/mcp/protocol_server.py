"""What Cortex answers to an MCP client."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import anyio
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from cortex_domain.errors import CortexError
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.mcp.chat_tool import CHAT, CHAT_TOOL, use_chat
from cortex_entrypoints.http.mcp.exposed_tools import Report, exposed_tools, use_exposed_tool
from cortex_entrypoints.http.request_bodies import ChatDefaults
from cortex_entrypoints.version import installed_version

CLIENT_LEFT: Final = "cortex.client_left"
"""Where the scope of a request has an event that is set once nobody waits for its answer."""

Context = ServerRequestContext[Any, Any]


def protocol_server(cortex: Cortex, defaults: ChatDefaults, /) -> Server[Any]:
    """Builds the handlers; a transport drives them."""

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:  # noqa: ARG001
        with _told():
            tools = await exposed_tools(cortex)
        return ListToolsResult(tools=[CHAT_TOOL, *(tool for tool in tools if tool.name != CHAT)])

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        with _told():
            return await _while_awaited(context, _used(cortex, defaults, params, context.session.report_progress))

    return Server("cortex", version=installed_version(), on_list_tools=list_tools, on_call_tool=call_tool)


async def _used(
    cortex: Cortex, defaults: ChatDefaults, params: CallToolRequestParams, report: Report
) -> CallToolResult:
    arguments = dict(params.arguments or {})
    if params.name == CHAT:
        return await use_chat(cortex, defaults, arguments)
    return await use_exposed_tool(cortex, params.name, arguments, report=report)


@contextmanager
def _told() -> Iterator[None]:
    """Makes what Cortex raises an error of the protocol."""
    try:
        yield
    except CortexError as exc:
        raise MCPError(code=INTERNAL_ERROR, message=f"{exc.code}: {exc.message}") from exc


async def _while_awaited(context: Context, work: Coroutine[Any, Any, CallToolResult]) -> CallToolResult:
    """Does work as long as somebody waits for it.

    Clients of older versions of the protocol may leave in the middle of an answer without cancelling it. The SDK would
    go on for nobody, because it can be made to give such answers again; here it is not.
    """
    assert context.request is not None, "it came over HTTP"
    left: asyncio.Event = context.request.scope[CLIENT_LEFT]
    task, leaving = asyncio.create_task(work), asyncio.create_task(left.wait())
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        leaving.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({task, leaving})
    if task.cancelled():
        raise MCPError(code=INTERNAL_ERROR, message="The client has left.")
    return task.result()
