"""Runs a command and turns what went wrong into one line and an exit code."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import typer

from cortex_domain.errors import RequestRefusedError, ResourceUnavailableError
from cortex_entrypoints.settings import Settings, SettingsError, load_settings

Command = Callable[[Settings], Coroutine[Any, Any, None]]

FAILED = 1
WRONG_SETTINGS = 2
INTERRUPTED = 130


def run_command(command: Command, *, uses_tools: bool = True) -> None:
    """Reads the settings and runs a command to its end.

    Args:
        command: The command.
        uses_tools: False starts no MCP servers for it.

    Raises:
        typer.Exit: Something went wrong, and the person has been told; anything else that is raised is a bug.
    """
    try:
        settings = load_settings()
        asyncio.run(command(settings if uses_tools else settings.model_copy(update={"mcp_config": None})))
    except SettingsError as exc:
        _leave(str(exc), code=WRONG_SETTINGS)
    except (RequestRefusedError, ResourceUnavailableError) as exc:
        _leave(exc.message, code=FAILED)
    except ModuleNotFoundError as exc:
        if exc.name not in {"mlx", "mlx.core", "mlx_lm"}:
            raise
        _leave("MLX is not installed. Install one of the extras: metal (macOS), cpu, cuda12, cuda13.", code=FAILED)
    except BrokenPipeError:  # whoever read the output has seen enough
        _abandon_output()
        raise typer.Exit(FAILED) from None
    except OSError as exc:
        _abandon_output()
        _leave(str(exc), code=FAILED)
    except KeyboardInterrupt:
        typer.echo(err=True)
        raise typer.Exit(INTERRUPTED) from None


def tell_failure(message: str) -> None:
    """Writes one line about something that went wrong to standard error."""
    typer.secho(f"cortex: {message}", fg=typer.colors.RED, err=True)


def tell_warning(message: str) -> None:
    """Writes one line that deserves attention to standard error."""
    typer.secho(f"cortex: {message}", fg=typer.colors.YELLOW, err=True)


def _abandon_output() -> None:
    """Lets what cannot be written go: the interpreter would try again at its end, and complain."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _leave(message: str, *, code: int) -> NoReturn:
    tell_failure(message)
    raise typer.Exit(code)
