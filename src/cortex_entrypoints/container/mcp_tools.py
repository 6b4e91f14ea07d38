"""Tools of the MCP servers that whoever runs Cortex has configured."""

from pathlib import Path
from typing import TYPE_CHECKING

from cortex_entrypoints.missing_packages import missing_package
from cortex_entrypoints.settings import SettingsError
from cortex_entrypoints.version import installed_version

if TYPE_CHECKING:
    from cortex_adapters.mcp import McpToolProvider


def build_mcp_tools(configuration: Path) -> "McpToolProvider":
    """Builds a provider of the tools of all servers in a file; it has to be started and stopped.

    Raises:
        SettingsError: The file cannot be used, or the SDK is not installed.
    """
    try:
        # Imported here, because it may not be installed, and takes a second.
        from cortex_adapters.mcp import McpConfigurationError, McpToolProvider, read_mcp_configuration  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise missing_package(exc, variable="MCP_CONFIG", extra="mcp") from exc
    try:
        servers = read_mcp_configuration(configuration)
    except McpConfigurationError as exc:
        raise SettingsError(f"MCP_CONFIG: {exc}", variable="MCP_CONFIG") from exc
    return McpToolProvider(servers, version=installed_version())
