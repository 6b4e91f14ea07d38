"""Runs `gguf_conversion` in a process of its own, which ends with the block that it was started for."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

from cortex_adapters.mlx.weight_format import WeightFormat


class ConversionFailedError(Exception):
    """The process ended without having converted; the text says why, as far as it told."""


@asynccontextmanager
async def converting(source: Path, target: Path, weight_format: WeightFormat) -> AsyncIterator[AsyncIterator[int]]:
    """Starts converting a GGUF file into a directory.

    Leaving the block before the last number kills the process.

    Args:
        source: The GGUF file.
        target: An empty directory.
        weight_format: What the weights become.

    Yields:
        The bytes written so far, growing; when they end, all files are there.

    Raises:
        ConversionFailedError: While iterating; the conversion failed.
        OSError: The process cannot be started, or, while iterating, files cannot be read or written.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cortex_adapters.mlx.gguf_conversion", source, target, weight_format),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env=_environment(),
        start_new_session=True,  # Ctrl-C in a terminal is for the server, which then ends this in its own order
    )
    try:
        async with aclosing(_written_bytes(process)) as written_bytes:
            yield written_bytes
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def _environment() -> dict[str, str]:
    # What this process can import, that one can, however the packages came onto the path.
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


async def _written_bytes(process: Process) -> AsyncGenerator[int, None]:
    assert process.stdout is not None
    last_words = ""
    async for line in process.stdout:
        text = line.decode(errors="replace").strip()
        if text.isdecimal():
            yield int(text)
        else:
            last_words = text or last_words
    _check_status(await process.wait(), last_words)


def _check_status(status: int, last_words: str) -> None:
    if status == os.EX_IOERR:
        raise OSError(last_words)
    if status < 0:
        raise ConversionFailedError(f"signal {-status} ended it")
    if status > 0:
        raise ConversionFailedError(last_words or f"it ended with status {status}")
