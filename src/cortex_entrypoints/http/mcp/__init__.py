"""Cortex as an MCP server: its tools and a chat for other programs, at `/mcp`."""

from quart import Quart

from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.mcp.mount import Check, McpMount
from cortex_entrypoints.http.mcp.protocol_server import protocol_server
from cortex_entrypoints.http.request_bodies import ChatDefaults

__all__ = ["mount_mcp"]


def mount_mcp(
    app: Quart,
    cortex: Cortex,
    defaults: ChatDefaults,
    *,
    check: Check,
    allowed_origins: tuple[str, ...],
    in_flight: InFlight,
) -> None:
    """Serves MCP beside the application."""
    server = protocol_server(cortex, defaults)
    mount = McpMount(app.asgi_app, server=server, check=check, allowed_origins=allowed_origins, in_flight=in_flight)
    app.asgi_app = mount  # type: ignore[method-assign]
    app.before_serving(mount.start)
    app.after_serving(mount.stop)
