"""`cortex models`: what is here, what could be, fetch and remove."""

import sys
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from cortex_domain import ModelDescriptor
from cortex_entrypoints.cli.pull_display import pull_and_show
from cortex_entrypoints.container import open_cortex
from cortex_entrypoints.settings import Settings

_COLUMNS = ("MODEL", "STATE", "SIZE", "MEMORY", "CONTEXT", "DESCRIPTION")


async def list_models(settings: Settings) -> None:
    """Prints one line a model: a table for a terminal, values separated by tabs for a program."""
    async with open_cortex(settings) as cortex:
        rows = [_row(descriptor) for descriptor in await cortex.list_models()]
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        typer.echo("\n".join("\t".join(row) for row in (_COLUMNS, *rows)))


async def show_model(settings: Settings, *, name: str) -> None:
    """Prints all that is known about a model, one line a fact.

    Raises:
        CortexError: There is no such model.
    """
    async with open_cortex(settings) as cortex:
        descriptor = await cortex.describe_model(name)
    for label, value in _facts(descriptor).items():
        typer.echo(f"{label:<14} {value or '-'}")


async def pull_model(settings: Settings, *, name: str) -> None:
    """Fetches a model.

    Raises:
        CortexError: The model cannot be fetched.
    """
    async with open_cortex(settings) as cortex:
        await pull_and_show(cortex, name)


async def delete_model(settings: Settings, *, name: str) -> None:
    """Removes a model's files.

    Raises:
        CortexError: There is no such model, or its files cannot be removed.
    """
    async with open_cortex(settings) as cortex:
        await cortex.delete_model(name)
    typer.echo(f"The files of {name} are removed.")


def _row(descriptor: ModelDescriptor) -> tuple[str, ...]:
    names = ", ".join((descriptor.id, *descriptor.aliases))
    return (
        names,
        descriptor.state.value,
        _bytes(descriptor.size_bytes),
        _bytes(descriptor.memory_bytes),
        _count(descriptor.context_window),
        descriptor.description,
    )


def _facts(descriptor: ModelDescriptor) -> dict[str, str]:
    return {
        "id": descriptor.id,
        "aliases": ", ".join(descriptor.aliases),
        "state": descriptor.state.value,
        "size": _bytes(descriptor.size_bytes),
        "memory": _bytes(descriptor.memory_bytes),
        **_estimates(descriptor),
        "context window": _count(descriptor.context_window),
        "quantization": descriptor.quantization or "",
        "capabilities": ", ".join(sorted(descriptor.capabilities)),
        "description": descriptor.description,
    }


def _estimates(descriptor: ModelDescriptor) -> dict[str, str]:
    estimate = descriptor.memory_estimate
    if estimate is None:
        return {}
    return {
        "weights": _bytes(estimate.weights_bytes),
        "each token": _bytes(estimate.kv_cache_bytes_per_token),
        "full window": _bytes(estimate.full_window_bytes),
    }


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(
            column, justify="right" if column in {"SIZE", "MEMORY", "CONTEXT"} else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def _bytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else decimal(size_bytes)


def _count(tokens: int | None) -> str:
    return "" if tokens is None else str(tokens)
