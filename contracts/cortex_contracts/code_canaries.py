"""What shows from outside whether code got out: files, listeners and processes of the one who looks."""

import asyncio
import contextlib
import ctypes
import os
import secrets
import sys
import tempfile
from asyncio import DatagramProtocol
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import psutil

_PR_SET_CHILD_SUBREAPER: Final = 36
PASSWORD_FILE: Final = Path("/etc/passwd")
_ARRIVAL_S: Final = 0.02  # a connection that was made has been noticed by then
_LOOK_EVERY_S: Final = 0.01


def lines_of(path: Path, /) -> Sequence[str]:
    """Reads the lines of a file that are long enough to stand nowhere else by chance."""
    return [line for line in path.read_text().splitlines() if len(line) > 9]


def relative_path(path: Path, /, *, to: Path) -> str:
    """Tells how a path is reached from a directory."""
    return os.path.relpath(path, to)


def new_secret() -> str:
    """Text that stands nowhere else."""
    return secrets.token_hex(16)


@contextmanager
def secret_file(directory: Path | None = None) -> Iterator[tuple[Path, str]]:
    """Makes a file that holds a secret, in a directory of its own."""
    with tempfile.TemporaryDirectory(dir=directory) as made:
        path, secret = Path(made) / "secret.txt", new_secret()
        path.write_text(secret)
        yield path, secret


@contextmanager
def secret_variable() -> Iterator[tuple[str, str]]:
    """Sets a variable of this process's environment to a secret; yields its name and the secret."""
    name, secret = f"CORTEX_{new_secret().upper()}", new_secret()
    os.environ[name] = secret
    try:
        yield name, secret
    finally:
        del os.environ[name]


def contents(directory: Path, /) -> Mapping[str, bytes | None]:
    """Tells all that is in a directory; what is not a file has no content."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


class Listeners:
    """Sockets that nobody should find.

    Attributes:
        port: Of TCP and of UDP, on 127.0.0.1.
        unix_paths: Of sockets in the file system and, on Linux, beside it.
    """

    def __init__(self, *, port: int, unix_paths: Sequence[str], visits: Sequence[str]) -> None:
        self.port = port
        self.unix_paths = unix_paths
        self._visits = visits

    async def visits(self) -> Sequence[str]:
        """Tells how they were reached until now."""
        await asyncio.sleep(_ARRIVAL_S)
        return list(self._visits)


@asynccontextmanager
async def listeners() -> AsyncIterator[Listeners]:
    """Listens in every way, for as long as the block lasts."""
    visits: list[str] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append("connected")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    class Datagrams(DatagramProtocol):
        def datagram_received(self, *_: object) -> None:
            visits.append("sent")

    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        tcp = await stack.enter_async_context(await asyncio.start_server(note, "127.0.0.1", 0))
        port: int = tcp.sockets[0].getsockname()[1]
        paths = [f"{directory}/socket", *([f"\0{new_secret()}"] if sys.platform == "linux" else [])]
        for path in paths:
            await stack.enter_async_context(await asyncio.start_unix_server(note, path))
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(Datagrams, ("127.0.0.1", port))
        stack.callback(udp.close)
        yield Listeners(port=port, unix_paths=paths, visits=visits)


@asynccontextmanager
async def bystander() -> AsyncIterator[asyncio.subprocess.Process]:
    """Starts a process that does nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Waits, on leaving, until no more processes descend from this one than on entering.

    On Linux orphans count too, because this process adopts them.
    """
    with _adopting_orphans():
        before = _descendants()
        yield
        while len(_descendants()) > len(before):  # noqa: ASYNC110 - nobody tells when a process ends
            await asyncio.sleep(_LOOK_EVERY_S)


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    prctl = getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _descendants() -> Sequence[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [process for process in found if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
