"""`cortex mcp`: which MCP servers are configured, and whether they answer."""

import sys

import typer
from rich.console import Console
from rich.table import Table

from cortex_entrypoints.cli.outcome import FAILED
from cortex_entrypoints.container.mcp_tools import build_mcp_tools
from cortex_entrypoints.settings import Settings, SettingsError

_COLUMNS = ("SERVER", "STATE", "TOOLS", "PROBLEM")


async def list_mcp_servers(settings: Settings) -> None:
    """Starts every server, prints one line for each, and stops them.

    Raises:
        SettingsError: There is no configuration, or it cannot be used.
        typer.Exit: With 1; a server does not answer.
    """
    if settings.mcp_config is None:
        raise SettingsError("MCP_CONFIG is not set; it names the file of the MCP servers.", variable="MCP_CONFIG")
    provider = build_mcp_tools(settings.mcp_config)
    await provider.start()
    try:
        await provider.settled()
        statuses = provider.statuses()
    finally:
        await provider.stop()
    _print([(each.name, each.state, "\n".join(each.tools), each.problem or "") for each in statuses])
    if any(status.problem for status in statuses):
        raise typer.Exit(FAILED)


def _print(rows: list[tuple[str, ...]]) -> None:
    """A table for a terminal, values separated by tabs and one line a server for a program."""
    if not sys.stdout.isatty():
        typer.echo("\n".join("\t".join(cell.replace("\n", ",") for cell in row) for row in (_COLUMNS, *rows)))
        return
    table = Table(*_COLUMNS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table, markup=False)
