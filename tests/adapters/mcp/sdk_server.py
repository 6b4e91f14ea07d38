"""A server made with the SDK, as most are: `stdio`, or `http`, which tells its port on the first line."""

import asyncio
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

server = MCPServer("sdk", log_level="ERROR")


@server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@server.tool()
def fail(why: str) -> str:
    """Fails."""
    raise ToolError(why)


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
async def count(to: int, context: Context) -> str:
    """Counts, and tells how far it is."""
    for number in range(1, to + 1):
        await context.report_progress(number, to, f"at {number}")
    return "done"


@server.tool()
async def wait(path: str, context: Context) -> str:
    """Writes to a file when it begins and when it is cancelled."""
    note(path, "begun")
    await context.report_progress(1, 2, "waiting")
    try:
        await asyncio.sleep(600)
    finally:
        note(path, "ended")
    return "waited"


def note(path: str, word: str) -> None:
    with open(path, "a") as file:  # noqa: PTH123 - short
        file.write(word + "\n")


def main() -> None:
    if sys.argv[1] == "stdio":
        server.run("stdio")
        return
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(server.streamable_http_app(), log_level="error")
    asyncio.run(uvicorn.Server(config).serve([listener]))


if __name__ == "__main__":
    main()
