"""A process swaps a directory for a link to the outside while files are used: nothing outside is ever reached.

Half a second each here; `make file-races` takes ten.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cortex_adapters.workspace_files import DirectoryWorkspace
from cortex_domain.errors import WorkspaceFault, WorkspaceFileError
from cortex_domain.workspace_files import FileSearch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux swaps two names at once")

SECONDS = 10.0 if os.environ.get("CORTEX_LONG_RACES") else 0.5
MOST_SECONDS = SECONDS + 60
"""On a busy machine the process takes its time before it swaps."""

FEWEST = 20
"""Successes and refusals that must be seen, so that there was a race at all."""

NEVER_BEGUN = {WorkspaceFault.SYMLINK, WorkspaceFault.NOT_A_DIRECTORY, WorkspaceFault.CHANGED_MEANWHILE}
"""A link that is a directory again by the time that somebody looks why it could not be opened is not told apart."""


@pytest.fixture
def contested(root: Path, outside: Path) -> Path:
    """The workspace has `dir/sub/file.txt`, and a link to an outside that has the same names and others."""
    for directory, text in ((root / "dir", "inside"), (outside, "OUTSIDE")):
        (directory / "sub").mkdir(parents=True)
        (directory / "sub" / "file.txt").write_text(f"{text} 0 {text} line\n")
    (outside / "sub" / "outside-only.txt").write_text("OUTSIDE")
    (root / "link").symlink_to(outside)
    return root


async def test_reading(workspace: DirectoryWorkspace, contested: Path, outside: Path) -> None:
    async def read(number: int) -> None:
        assert "OUTSIDE" not in (await workspace.read_file("dir/sub/file.txt")).text

    await _race(read, contested, outside)


async def test_writing(workspace: DirectoryWorkspace, contested: Path, outside: Path) -> None:
    async def write(number: int) -> None:
        await workspace.write_file(f"dir/sub/{number % 50}/new.txt", f"written {number}")

    await _race(write, contested, outside)


async def test_editing(workspace: DirectoryWorkspace, contested: Path, outside: Path) -> None:
    value = 0

    async def edit(number: int) -> None:
        nonlocal value
        await workspace.edit_file("dir/sub/file.txt", old_text=f" {value} ", new_text=f" {number} ")
        value = number

    await _race(edit, contested, outside)


async def test_listing(workspace: DirectoryWorkspace, contested: Path, outside: Path) -> None:
    async def list_files(number: int) -> None:
        entries = (await workspace.list_files("dir", depth=3)).entries
        assert "dir/sub/outside-only.txt" not in [entry.path for entry in entries]

    await _race(list_files, contested, outside)


async def test_searching(workspace: DirectoryWorkspace, contested: Path, outside: Path) -> None:
    async def search(number: int) -> None:
        everywhere = await workspace.search_files(FileSearch(pattern="OUTSIDE|inside"))
        below = await workspace.search_files(FileSearch(pattern="OUTSIDE|inside", path="dir/sub"))
        assert not [match for match in (*everywhere.matches, *below.matches) if "OUTSIDE" in match.text]

    await _race(search, contested, outside)


async def _race(attempt: Callable[[int], Awaitable[None]], contested: Path, outside: Path) -> None:
    before = _contents(outside)
    seen: Counter[str] = Counter()
    with _swapping(contested):
        begun_s = time.monotonic()
        number = 0
        while not _is_enough(seen, time.monotonic() - begun_s):
            number += 1
            try:
                await attempt(number)
                seen["done"] += 1
            except WorkspaceFileError as exc:
                if exc.reason not in NEVER_BEGUN:
                    raise
                seen["refused"] += 1
            await asyncio.sleep(0)
    sys.stdout.write(f"{dict(seen)} ")  # shown by -s, for docs/reliability.md
    assert _contents(outside) == before
    assert min(seen["done"], seen["refused"]) >= FEWEST


def _is_enough(seen: Counter[str], passed_s: float) -> bool:
    is_fair = min(seen["done"], seen["refused"]) >= FEWEST
    return passed_s >= (SECONDS if is_fair else MOST_SECONDS)


@contextmanager
def _swapping(directory: Path) -> Iterator[None]:
    program = Path(__file__).with_name("swapping_process.py")
    with subprocess.Popen(
        [sys.executable, str(program), str(directory), "dir", "link"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield
        finally:
            swaps, _ = process.communicate(b"stop")
    assert process.returncode == 0
    assert int(swaps) > 0


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(directory.rglob("*"))}


async def test_checking_before_opening_would_lose_the_race(contested: Path, outside: Path) -> None:
    """What the others prove is worth something: the usual way reaches the outside in no time."""
    leaked = False
    root = str(contested)
    with _swapping(contested):
        begun_s = time.monotonic()
        while not leaked and time.monotonic() - begun_s < MOST_SECONDS:
            path = contested / "dir" / "sub" / "file.txt"
            with suppress(OSError):  # realpath itself loses at times
                if os.path.realpath(path).startswith(f"{root}{os.sep}"):
                    leaked = "OUTSIDE" in path.read_text()
    assert leaked
