"""What a directory does beyond its contract: whole writes, cancelled work, files that change meanwhile, large files."""

import asyncio
import errno
import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_adapters.workspace_files import DirectoryWorkspace
from cortex_adapters.workspace_files.interruption import InterruptedWorkError, Interruption, run_interruptible
from cortex_domain.errors import StorageError, WorkspaceFault, WorkspaceFileError
from cortex_domain.workspace_files import FileSearch, WorkspaceLimits


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
async def test_a_full_disk_leaves_what_was_there(
    workspace: DirectoryWorkspace, root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    await workspace.write_file("a.txt", "before")

    def fail(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=os.strerror(code)):
        await workspace.write_file("a.txt", "after")
    assert [entry.name for entry in root.iterdir()] == ["a.txt"]
    assert (root / "a.txt").read_text() == "before"


async def test_readers_see_one_text_or_the_other(workspace: DirectoryWorkspace) -> None:
    texts = {"a" * 100_000, "b" * 100_000}
    await workspace.write_file("a.txt", "a" * 100_000)
    big = DirectoryWorkspace(workspace.root, limits=WorkspaceLimits(read_bytes=200_000))

    async def write() -> None:
        for _ in range(10):
            for text in sorted(texts):
                await workspace.write_file("a.txt", text)

    writing = asyncio.create_task(write())
    while not writing.done():
        assert (await big.read_file("a.txt")).text in texts
    await writing


async def test_edits_at_once_are_all_made(workspace: DirectoryWorkspace, root: Path) -> None:
    await workspace.write_file("a.txt", "".join(f"<{number}>" for number in range(20)))
    edits = [workspace.edit_file("a.txt", old_text=f"<{number}>", new_text=f"[{number}]") for number in range(20)]
    await asyncio.gather(*edits)
    assert (root / "a.txt").read_text() == "".join(f"[{number}]" for number in range(20))


async def test_an_edit_overwrites_nobody_elses_change(
    workspace: DirectoryWorkspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workspace.write_file("a.txt", "before")
    fsync = os.fsync

    def change_meanwhile(fd: int) -> None:
        (root / "a.txt").write_text("somebody else's")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", change_meanwhile)
    with pytest.raises(WorkspaceFileError) as caught:
        await workspace.edit_file("a.txt", old_text="before", new_text="after")
    assert caught.value.reason is WorkspaceFault.CHANGED_MEANWHILE
    assert (root / "a.txt").read_text() == "somebody else's"
    assert len(list(root.iterdir())) == 1


async def test_a_cancelled_write_never_happened(
    workspace: DirectoryWorkspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_disk, may_go_on = threading.Event(), threading.Event()

    def wait(fd: int) -> None:
        at_the_disk.set()
        may_go_on.wait()

    monkeypatch.setattr(os, "fsync", wait)
    writing = asyncio.create_task(workspace.write_file("a.txt", "text"))
    await asyncio.to_thread(at_the_disk.wait)
    writing.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
        writing.cancel()
    assert not writing.done()
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert list(root.iterdir()) == []


def test_interruption_ends_work() -> None:
    interruption = Interruption()
    interruption.check()
    interruption.request()
    with pytest.raises(InterruptedWorkError):
        interruption.check()


async def test_what_was_cancelled_before_its_turn_is_not_begun() -> None:
    begun: list[Interruption] = []
    threads, may_end = os.cpu_count() or 1, threading.Event()
    blocking = [asyncio.create_task(asyncio.to_thread(may_end.wait)) for _ in range(threads + 4)]
    waiting = asyncio.create_task(run_interruptible(begun.append))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.gather(*blocking)
    assert begun == []


async def test_lines_far_into_a_large_file(workspace: DirectoryWorkspace, root: Path) -> None:
    with (root / "large.log").open("w") as file:
        file.writelines(f"line {number}\n" for number in range(1, 200_001))
    passage = await workspace.read_file("large.log", start=150_000, end=150_001)
    assert (passage.text, passage.total_lines) == ("line 150000\nline 150001\n", 200_000)
    with pytest.raises(WorkspaceFileError, match=r"Its last line is 200000\."):
        await workspace.read_file("large.log", start=200_001)
    first = await workspace.read_file("large.log")
    assert first.text.endswith("\n")
    assert first.has_more


async def test_a_file_beyond_what_is_scanned(root: Path) -> None:
    workspace = DirectoryWorkspace(root, limits=WorkspaceLimits(scanned_bytes=1 << 18))
    (root / "huge.txt").write_bytes(b"0123456\n" * (1 << 17))
    passage = await workspace.read_file("huge.txt", start=2, end=3)
    assert (passage.text, passage.total_lines, passage.has_more) == ("0123456\n0123456\n", None, True)
    with pytest.raises(WorkspaceFileError, match="beyond its first 262144 bytes"):
        await workspace.read_file("huge.txt", start=100_000)
    with pytest.raises(WorkspaceFileError, match="It is empty"):
        await workspace.write_file("empty.txt", "")
        await workspace.read_file("empty.txt", start=2)
    result = await workspace.search_files(FileSearch(pattern="nothing"))
    assert not result.is_complete


async def test_byte_order_marks_are_left_out_and_kept(workspace: DirectoryWorkspace, root: Path) -> None:
    (root / "a.csv").write_bytes(b"\xef\xbb\xbfname;value\r\n")
    assert (await workspace.read_file("a.csv")).text == "name;value\r\n"
    await workspace.edit_file("a.csv", old_text="name", new_text="title")
    assert (root / "a.csv").read_bytes() == b"\xef\xbb\xbftitle;value\r\n"


async def test_utf_16_is_named(workspace: DirectoryWorkspace, root: Path) -> None:
    (root / "a.txt").write_bytes("text".encode("utf-16"))
    with pytest.raises(WorkspaceFileError, match="UTF-16"):
        await workspace.read_file("a.txt")


async def test_searches_find_what_windows_and_long_lines_hide(workspace: DirectoryWorkspace, root: Path) -> None:
    lines = [f"{'x' * (number % 100)} needle {number}" for number in range(5_000)]
    (root / "windows.txt").write_text("\n".join(lines))
    (root / "long.txt").write_text("x" * 1_000_000 + "needle" + "x" * 1_000_000 + "\nneedle\n")
    wide = DirectoryWorkspace(root, limits=WorkspaceLimits(matches=10_000))
    result = await wide.search_files(FileSearch(pattern="needle", path="windows.txt"))
    assert [match.line for match in result.matches] == list(range(1, 5_001))
    assert [match.text for match in result.matches] == lines
    result = await workspace.search_files(FileSearch(pattern="needle", path="long.txt"))
    assert [match.line for match in result.matches] == [1, 2]
    assert "needle" in result.matches[0].text


async def test_a_search_ends_when_its_time_is_over(root: Path) -> None:
    (root / "a.txt").write_text("a")
    workspace = DirectoryWorkspace(root, limits=WorkspaceLimits(search_s=1e-9))
    result = await workspace.search_files(FileSearch(pattern="a"))
    assert (result.matches, result.is_complete) == ((), False)


async def test_patterns_that_would_take_too_much_are_refused(workspace: DirectoryWorkspace) -> None:
    for pattern in ("x" * 1001, "x.{900}y", r"(\pL{10}){90}q"):
        with pytest.raises(WorkspaceFileError) as caught:
            await workspace.search_files(FileSearch(pattern=pattern))
        assert caught.value.reason is WorkspaceFault.INVALID_PATTERN


async def test_listings_look_at_so_many_entries(root: Path) -> None:
    for number in range(20):
        (root / f"{number:02}").touch()
    workspace = DirectoryWorkspace(root, limits=WorkspaceLimits(scanned_entries=10))
    listing = await workspace.list_files()
    assert (len(listing.entries), listing.is_complete) == (10, False)


async def test_no_descriptor_is_left_open(workspace: DirectoryWorkspace, root: Path) -> None:
    await workspace.write_file("a/b.txt", "text")
    before = _open_descriptors()
    for _ in range(5):
        for attempt in _successes_and_refusals(workspace):
            try:
                await attempt
            except WorkspaceFileError:
                continue
    assert _open_descriptors() <= before


def _open_descriptors() -> int:
    gc.collect()  # what earlier tests left is closed now, or by the second count
    return len(list(Path("/dev/fd").iterdir()))


def _successes_and_refusals(workspace: DirectoryWorkspace) -> Iterator[Any]:
    for path in ("a/b.txt", "a", "missing", "a/missing", "a/b.txt/c", "x/y/z.txt"):
        yield workspace.read_file(path)
        yield workspace.list_files(path, depth=3)
        yield workspace.search_files(FileSearch(pattern="t", path=path))
        yield workspace.edit_file(path, old_text="missing", new_text="")
    yield workspace.write_file("x/y/z.txt", "text")
    yield workspace.write_file("a/b.txt/c", "text")
