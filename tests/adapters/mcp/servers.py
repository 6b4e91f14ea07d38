"""Servers for the tests of the MCP adapter."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cortex_adapters.mcp import McpServer, McpToolProvider, StdioConnection
from cortex_domain.tool_execution import ToolContext

_RAW_SERVER = Path(__file__).parent / "raw_server.py"
SDK_SERVER = str(Path(__file__).parent / "sdk_server.py")


def raw_server(mode: str = "well", /, *, name: str = "raw", **more: Any) -> McpServer:
    connection = StdioConnection(command=sys.executable, args=("-S", "-E", str(_RAW_SERVER), mode))
    return McpServer(name=name, connection=connection, **more)


@asynccontextmanager
async def provided(*servers: McpServer) -> AsyncIterator[McpToolProvider]:
    provider = McpToolProvider(servers, version="0")
    await provider.start()
    try:
        await provider.settled()
        yield provider
    finally:
        await provider.stop()


@asynccontextmanager
async def http_server() -> AsyncIterator[str]:
    """Runs the SDK's server over HTTP, and gives its address."""
    command = (sys.executable, SDK_SERVER, "http")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    await process.wait()


def context(report: Callable[[str, float | None], None] = lambda message, fraction: None) -> ToolContext:
    return ToolContext(call_id="call", deadline_s=1e9, report_progress=report)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)
