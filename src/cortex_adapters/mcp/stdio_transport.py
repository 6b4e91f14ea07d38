"""Speaks MCP with a program over its standard input and output, one message a line.

The SDK's own transport gathers a line of any length, by copying what it has for every piece that comes, and leaves
behind what a program started. This one bounds what a program can make Cortex read, hold and log, gives it no variable
of Cortex's environment that it does not need, and ends its whole process group.
"""

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast

import anyio
import psutil
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from cortex_adapters.mcp.configuration import StdioConnection
from cortex_adapters.mcp.pacing import Pace

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
"""Longest message of a server; one that sends a longer one is ended."""

_MAX_GARBAGE_LINES: Final = 100
"""Lines in a row that are no messages, after which a program is taken for none that speaks MCP."""

_QUEUED_MESSAGES: Final = 64
_WRITE_PATIENCE_S: Final = 10.0
_GRACE_S: Final = 2.0
_POLL_S: Final = 0.01
_KEPT_COMPLAINTS: Final = 5
_MAX_COMPLAINT_CHARACTERS: Final = 300
_PASSED_ON: Final = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER")

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


class ServerProgram:
    """A program while it runs.

    Attributes:
        ended: Set once it is not to be spoken with any more.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.ended = asyncio.Event()
        self._name = name
        self._process = process
        self._reason: str | None = None
        self._complaints: deque[str] = deque(maxlen=_KEPT_COMPLAINTS)

    @property
    def reason(self) -> str:
        """Why it ended, in words for the operator, with what it wrote last to its standard error."""
        reason = self._reason or "its program ended"
        return f"{reason}; it said: {' | '.join(self._complaints)}" if self._complaints else reason

    async def read(self, into: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        """Takes messages until there are none any more."""
        assert self._process.stdout is not None
        pace = Pace()
        garbage = 0
        async with into:
            while (line := await self._line(self._process.stdout)) and garbage < _MAX_GARBAGE_LINES:
                message = _message(line)
                garbage = 0 if message else garbage + 1
                if message is not None:
                    await into.send(message)
                await pace.keep()
        if garbage:
            self._reason = self._reason or "it writes to its standard output what is no message"
        self.ended.set()

    async def write(self, messages: MemoryObjectReceiveStream[SessionMessage]) -> None:
        """Passes messages on until there are none any more, or the program does not take them."""
        assert self._process.stdin is not None
        async for message in messages:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
            try:
                self._process.stdin.write(line)
                async with asyncio.timeout(_WRITE_PATIENCE_S):
                    await self._process.stdin.drain()
            except (OSError, TimeoutError):
                self._reason = self._reason or "it does not read what it is told"
                break
        self.ended.set()

    async def listen(self) -> None:
        """Takes what it writes to its standard error, and logs it at level DEBUG."""
        assert self._process.stderr is not None
        pace = Pace()
        while data := await self._process.stderr.read(4096):
            for line in data.decode(errors="replace").splitlines():
                if line.strip():
                    self._complaints.append(repr(line.strip()[:_MAX_COMPLAINT_CHARACTERS]))
            logger.debug("MCP server %r wrote %r", self._name, data[:_MAX_COMPLAINT_CHARACTERS])
            await pace.keep()

    async def end(self) -> None:
        """Asks it to end by the end of its input, then by signals, and ends whatever it has started."""
        descendants = _descendants(self._process.pid)
        if self._process.stdin is not None:
            self._process.stdin.close()
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            if await self._has_ended():
                break
            _signal_group(self._process.pid, signal_number)
        _signal_group(self._process.pid, signal.SIGKILL)
        for descendant in descendants:
            with suppress(psutil.Error):
                descendant.kill()
        await self._has_ended()
        cast("Any", self._process)._transport.close()  # noqa: SLF001 - what is unread keeps it open, and asyncio has no other way

    async def _line(self, stdout: asyncio.StreamReader) -> bytes:
        try:
            return await stdout.readline()
        except ValueError:  # how asyncio tells that there is no end of line within the limit
            self._reason = f"it sent a message longer than {MAX_MESSAGE_BYTES} bytes"
            return b""

    async def _has_ended(self) -> bool:
        """Waits for its end, but not for ever; `wait` would also wait for all that is in its pipes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                while self._process.returncode is None:  # noqa: ASYNC110 - asyncio tells nobody
                    await asyncio.sleep(_POLL_S)
        return self._process.returncode is not None


@asynccontextmanager
async def running_program(name: str, connection: StdioConnection, /) -> AsyncIterator[tuple[ServerProgram, Streams]]:
    """Starts a program and ends it after the block; enter and leave it in one task.

    Raises:
        OSError: It cannot be started.
    """
    process = await _started(connection)
    program = ServerProgram(name, process)
    incoming, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    sent, outgoing = anyio.create_memory_object_stream[SessionMessage](_QUEUED_MESSAGES)
    work = (program.read(incoming), program.write(outgoing), program.listen())
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield program, (received, sent)
    finally:
        try:
            await _uninterrupted(asyncio.create_task(program.end()))
        finally:
            await _cancelled(tasks)
            for stream in (incoming, received, sent, outgoing):
                stream.close()


async def _started(connection: StdioConnection) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        connection.command,
        *connection.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(connection.env),
        cwd=connection.cwd,
        limit=MAX_MESSAGE_BYTES,
        start_new_session=True,
    )


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | dict(given)


def _message(line: bytes) -> SessionMessage | None:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        logger.debug("An MCP server wrote what is no message: %r", line[:_MAX_COMPLAINT_CHARACTERS])
        return None


def _descendants(pid: int) -> list[psutil.Process]:
    """What it started and still runs, also in process groups of their own."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _signal_group(pid: int, signal_number: signal.Signals) -> None:
    with suppress(
        ProcessLookupError, PermissionError
    ):  # macOS refuses to signal a group of which only a zombie is left
        os.killpg(pid, signal_number)


async def _uninterrupted(task: asyncio.Task[None]) -> None:
    """Waits for a task's end, also when the waiting itself is cancelled."""
    was_cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            was_cancelled = True
    task.result()
    if was_cancelled:
        raise asyncio.CancelledError


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            logger.debug("Speaking with an MCP server failed: %r", result)
