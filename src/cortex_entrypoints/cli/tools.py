"""`cortex tools`: what models can use, and using it by hand."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import typer
from rich.console import Console
from rich.table import Table

from cortex_domain.errors import InvalidRequestError
from cortex_domain.tool_execution import ToolContent, ToolDescriptor, ToolImage, ToolJson, ToolProgress, ToolText
from cortex_domain.tool_policy import ToolPolicy
from cortex_entrypoints.cli.outcome import FAILED, tell_failure
from cortex_entrypoints.container import open_cortex
from cortex_entrypoints.settings import Settings
from cortex_entrypoints.tool_invocation import invoke_for_person

_COLUMNS = ("TOOL", "POLICY", "EFFECTS", "DESCRIPTION")


async def list_tools(settings: Settings) -> None:
    """Prints one line a tool: a table for a terminal, values separated by tabs for a program."""
    async with open_cortex(settings) as cortex:
        tools = sorted(await cortex.tool_provider.list_tools(), key=lambda tool: tool.name)
        rows = [_row(tool, cortex.tool_policy) for tool in tools]
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        typer.echo("\n".join("\t".join(row) for row in (_COLUMNS, *rows)))


async def invoke_tool(settings: Settings, *, name: str, arguments: str) -> None:
    """Uses a tool and prints what it returns; whoever types this has approved it.

    Args:
        settings: What to run.
        name: The tool.
        arguments: JSON text of an object.

    Raises:
        CortexError: The arguments are no JSON object, there is no such tool, or the policy denies it.
        typer.Exit: The tool failed.
    """
    told = _object_of(arguments)
    async with open_cortex(settings) as cortex:
        finished = await invoke_for_person(cortex, name, told, show=_show_progress)
    for part in finished.content:
        typer.echo(_text_of(part))
    if finished.error is not None:
        tell_failure(f"{finished.error.code}: {finished.error.message}")
        raise typer.Exit(FAILED)


def _row(tool: ToolDescriptor, policy: ToolPolicy) -> tuple[str, ...]:
    return (
        tool.name,
        policy.permission(tool, after_untrusted=False).value,
        ", ".join(sorted(tool.effects)),
        tool.definition.description.partition("\n")[0],
    )


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*_COLUMNS, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def _object_of(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidRequestError('The arguments are a JSON object, for example {"path": "notes.txt"}.')
    return value


def _show_progress(progress: ToolProgress) -> None:
    if sys.stderr.isatty():
        share = "" if progress.fraction is None else f"{progress.fraction:.0%} "
        typer.echo(f"{share}{progress.message}", err=True)


def _text_of(part: ToolContent) -> str:
    match part:
        case ToolText():
            return part.text
        case ToolJson():
            return json.dumps(part.value, ensure_ascii=False)
        case ToolImage():
            return f"[an image, {part.media_type}, {len(part.data)} bytes]"
        case _:
            assert_never(part)
