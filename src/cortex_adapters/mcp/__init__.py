"""Tools of other programs, over the Model Context Protocol."""

from cortex_adapters.mcp.configuration import (
    HttpConnection,
    McpConfigurationError,
    McpServer,
    StdioConnection,
    ToolWord,
    read_mcp_configuration,
)
from cortex_adapters.mcp.supervised_server import McpServerState
from cortex_adapters.mcp.tool_provider import McpServerStatus, McpToolProvider

__all__ = [
    "HttpConnection",
    "McpConfigurationError",
    "McpServer",
    "McpServerState",
    "McpServerStatus",
    "McpToolProvider",
    "StdioConnection",
    "ToolWord",
    "read_mcp_configuration",
]
