"""A process in a sandbox: how it is started, spoken with, watched, and ended with all that it started."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

import psutil

_SOURCE: Final = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
_LOOK_EVERY_S: Final = 0.1
_MOST_LINE_BYTES: Final = 2**20

CommandWriter = Callable[[int], Sequence[str]]
"""Writes the command that confines a program, which tells the number of its first process on a descriptor."""


class SandboxedProcess:
    """A process that runs; `started` makes one.

    Attributes:
        stdout: What it prints.
        stderr: What it prints there.
    """

    def __init__(self, process: asyncio.subprocess.Process, messages: asyncio.StreamReader) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.stdout, self.stderr = process.stdout, process.stderr
        self._stdin = process.stdin
        self._pid = process.pid
        self._messages = messages

    async def hear(self) -> bytes:
        """Reads a line of the program; empty when it has ended.

        Raises:
            ValueError: The line is too long.
        """
        return await self._messages.readline()

    async def say(self, message: object) -> None:
        """Writes a line to the program, if it still listens."""
        with contextlib.suppress(ConnectionError):
            self._stdin.write(json.dumps(message).encode() + b"\n")
            await self._stdin.drain()

    async def exceed(self, memory_bytes: int) -> None:
        """Waits until all its processes together have more memory than this."""
        while _resident_bytes(self._pid) <= memory_bytes:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_LOOK_EVERY_S)


@asynccontextmanager
async def started(confine: CommandWriter, executable: Path) -> AsyncIterator[SandboxedProcess]:
    """Starts the program inside a sandbox; leaving the block ends it, and waits until nothing of it is left.

    Raises:
        OSError: It cannot be started.
    """
    async with contextlib.AsyncExitStack() as stack:
        messages, message_fd = await _pipe(stack)
        status, status_fd = await _pipe(stack)
        process = await asyncio.create_subprocess_exec(
            *confine(status_fd.fileno()),
            *(str(executable), "-I", "-B", "-c", _SOURCE, str(message_fd.fileno())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(message_fd.fileno(), status_fd.fileno()),
            env={},  # the first process of the sandbox shows its environment to the others
            cwd="/",
            start_new_session=True,
        )
        message_fd.close()
        status_fd.close()
        try:
            yield SandboxedProcess(process, messages)
        finally:
            await _end(process, status)


async def _pipe(stack: contextlib.AsyncExitStack) -> tuple[asyncio.StreamReader, IO[bytes]]:
    """Makes a pipe; returns its reader, and the end that is written to."""
    reading, writing = os.pipe()
    write_end = stack.enter_context(os.fdopen(writing, "wb"))
    reader = asyncio.StreamReader(limit=_MOST_LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb")
    )
    stack.callback(transport.close)
    return reader, write_end


async def _end(process: asyncio.subprocess.Process, status: asyncio.StreamReader) -> None:
    """Kills the first process in the sandbox, with which the kernel ends all others, and waits for it.

    Only then is the one outside killed: if it went first, nobody would be told of the others' end.
    """
    ending = asyncio.ensure_future(_kill(process, status))
    was_cancelled = False
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            was_cancelled = True
    ending.result()
    if was_cancelled:
        raise asyncio.CancelledError


async def _kill(process: asyncio.subprocess.Process, status: asyncio.StreamReader) -> None:
    first = await _first_process(status)
    if first is not None:
        signal.pidfd_send_signal(first, signal.SIGKILL)
        await _ended(first)
        os.close(first)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _first_process(status: asyncio.StreamReader) -> int | None:
    """Opens the process that the sandbox told of; None when it ended before, or tells of none."""
    with contextlib.suppress(ValueError, KeyError, ProcessLookupError):
        return os.pidfd_open(json.loads(await status.readline())["child-pid"])
    return None


async def _ended(pidfd: int) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return sum(map(_resident, [parent, *parent.children(recursive=True)]))
    return 0


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.memory_info().rss
    return 0
