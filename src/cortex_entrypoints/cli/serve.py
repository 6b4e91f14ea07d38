"""`cortex serve`: the server, and what a person needs to know about it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import typer

from cortex_domain import Device
from cortex_entrypoints import http
from cortex_entrypoints.cli.openblas_advice import INSTALL_OPENBLAS, lacks_openblas
from cortex_entrypoints.cli.outcome import FAILED, tell_failure, tell_warning
from cortex_entrypoints.container import EnginePlacement, open_cortex
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.default_model import DefaultModelState
from cortex_entrypoints.http.listener import ListenError
from cortex_entrypoints.observation.log_lines import JsonLines, TextLines
from cortex_entrypoints.settings import Settings
from cortex_entrypoints.tool_names import unknown_tool_names
from cortex_entrypoints.version import installed_version

_PACKAGES = ("cortex_domain", "cortex_adapters", "cortex_entrypoints")


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Raises:
        CortexError: The engine cannot start.
        typer.Exit: With 1; the address cannot be listened on.
    """
    _set_up_logging(settings)
    async with open_cortex(settings, placement=EnginePlacement.PROCESS) as cortex:
        for name in await unknown_tool_names(settings, cortex.tool_provider):
            tell_warning(f"The TOOLS_ settings name {name!r}, which is neither an effect nor a tool that is on.")
        await cortex.default_model_preparation.prepare_bundled()
        async with _preparing_default_model(cortex):
            await _listen(cortex, settings)


async def _listen(cortex: Cortex, settings: Settings) -> None:
    try:
        await http.serve(cortex, settings, on_listening=partial(_announce, cortex))
    except ListenError as exc:
        tell_failure(str(exc))
        raise typer.Exit(FAILED) from exc


@asynccontextmanager
async def _preparing_default_model(cortex: Cortex) -> AsyncIterator[None]:
    """Fetches the default model beside the block: the server answers meanwhile."""
    preparing = asyncio.create_task(_prepare_default_model(cortex))
    try:
        yield
    finally:
        preparing.cancel()
        with suppress(asyncio.CancelledError):
            await preparing


async def _prepare_default_model(cortex: Cortex) -> None:
    status = await cortex.default_model_preparation.prepare_default()
    if status.state is DefaultModelState.READY:  # anything else is in the log
        typer.echo(f"The model {status.id} is ready.")


def _announce(cortex: Cortex, url: str) -> None:
    device = cortex.engine_monitor.status().device
    typer.secho(f"Cortex {installed_version()} listens on {url}", bold=True)
    typer.echo(f"  model   {cortex.default_model}\n  device  {device}\n  docs    {url}/docs")
    if device is Device.CPU and lacks_openblas():
        typer.echo(f"  Twenty times faster on this CPU: {INSTALL_OPENBLAS}")
    typer.echo("Ctrl-C stops it.")


def _set_up_logging(settings: Settings) -> None:
    """Logs Cortex as asked, and of the libraries below it only what went wrong."""
    lines = JsonLines if settings.log_format == "json" else TextLines
    handler = logging.StreamHandler()
    handler.setFormatter(lines(shows_messages=settings.debug))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(settings.log_level)
