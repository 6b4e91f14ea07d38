"""Has HTML read by a process that ends when it takes too much."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import ceil
from typing import Final

from cortex_adapters.web_pages.read_page import ReadPage

_PROGRAM: Final = "cortex_adapters.web_pages.html_to_markdown"
_PIECE_BYTES: Final = 1 << 16


class UnreadableHtmlError(Exception):
    """Nothing can be made of the page within the limits; the text says why, as a sentence without its full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """What reading one page may take.

    Attributes:
        time_s: Seconds, of the processor and by the clock.
        memory_bytes: Address space of the process; kept on Linux only.
        text_bytes: The longest Markdown, as JSON.
    """

    time_s: float = 10.0
    memory_bytes: int = 1 << 30
    text_bytes: int = 10_000_000


async def read_html(page: str, url: str, /, *, limits: ReadingLimits) -> ReadPage:
    """Makes Markdown of a page.

    Args:
        page: The HTML.
        url: Its address, which links are relative to.
        limits: What it may take.

    Raises:
        UnreadableHtmlError: It takes more, or is nothing that can be read.
    """
    try:
        async with asyncio.timeout(limits.time_s), _reading(f"{url}\n{page}", limits) as process:
            written = await _written(process, limits.text_bytes)
            status = await process.wait()
    except TimeoutError as exc:
        raise UnreadableHtmlError("reading it takes too long") from exc
    if status != 0:
        raise UnreadableHtmlError("it is too large, too deep, or no HTML")
    return ReadPage(**json.loads(written))


@asynccontextmanager
async def _reading(address_and_page: str, limits: ReadingLimits) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", _PROGRAM, str(limits.memory_bytes), str(ceil(limits.time_s))),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        # What this process can import, that one can; no other variable, because some hold keys.
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONUTF8": "1"},
        start_new_session=True,  # Ctrl-C in a terminal is for the server
    )
    feeding = asyncio.create_task(_feed(process, address_and_page))
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await feeding


async def _feed(process: Process, text: str) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended early, and its status says why
        process.stdin.write(text.encode(errors="replace"))
        await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _written(process: Process, max_bytes: int) -> bytes:
    assert process.stdout is not None
    written = bytearray()
    while piece := await process.stdout.read(_PIECE_BYTES):
        written += piece
        if len(written) > max_bytes:
            raise UnreadableHtmlError("what it says is too long")
    return bytes(written)
