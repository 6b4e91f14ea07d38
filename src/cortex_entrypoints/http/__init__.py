"""The HTTP server: REST, server-sent events and WebSocket over the use cases."""

from cortex_entrypoints.http.app import create_app
from cortex_entrypoints.http.server import serve

__all__ = ["create_app", "serve"]
