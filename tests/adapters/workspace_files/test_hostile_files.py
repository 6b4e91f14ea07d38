"""Links, pipes, devices and strange names: nothing outside is reached, nothing hangs, and each is told apart."""

import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cortex_adapters.workspace_files import DirectoryWorkspace
from cortex_adapters.workspace_files.beneath import choose_opener, open_at_once, open_by_walk
from cortex_domain.errors import StorageError, WorkspaceFault, WorkspaceFileError
from cortex_domain.workspace_files import EntryKind, FileSearch

LINKS = {
    "to a file outside": "../ws-evil/secret.txt",
    "to a directory outside": "../ws-evil",
    "to a file inside": "inside.txt",
    "to a directory inside": "directory",
    "to nothing": "missing",
    "to itself": "link",
    "to the root": "/",
    "to the root by proc": "/proc/self/root",
    "to the working directory by proc": "/proc/self/cwd",
    "to the directory above": "..",
    "to the workspace": ".",
}


def _attempts(workspace: DirectoryWorkspace, path: str) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "list": lambda: workspace.list_files(path),
        "read": lambda: workspace.read_file(path),
        "write": lambda: workspace.write_file(path, "overwritten"),
        "edit": lambda: workspace.edit_file(path, old_text="SECRET", new_text="overwritten"),
        "search": lambda: workspace.search_files(FileSearch(pattern="SECRET", path=path)),
    }


async def _reasons(workspace: DirectoryWorkspace, path: str) -> dict[str, WorkspaceFault]:
    reasons = {}
    for name, attempt in _attempts(workspace, path).items():
        with pytest.raises(WorkspaceFileError) as caught:
            await attempt()
        reasons[name] = caught.value.reason
    return reasons


@pytest.mark.parametrize("target", LINKS.values(), ids=LINKS.keys())
async def test_no_link_is_followed(workspace: DirectoryWorkspace, root: Path, outside: Path, target: str) -> None:
    (root / "directory").mkdir()
    (root / "inside.txt").write_text("SECRET\n")
    (root / "link").symlink_to(target)
    assert set((await _reasons(workspace, "link")).values()) == {WorkspaceFault.SYMLINK}
    assert set((await _reasons(workspace, "link/secret.txt")).values()) == {WorkspaceFault.SYMLINK}
    assert set((await _reasons(workspace, "link/etc/hostname")).values()) == {WorkspaceFault.SYMLINK}
    listing = await workspace.list_files(depth=9)
    assert {entry.path: entry.kind for entry in listing.entries} == {
        "directory": EntryKind.DIRECTORY,
        "inside.txt": EntryKind.FILE,
        "link": EntryKind.SYMLINK,
    }
    found = await workspace.search_files(FileSearch(pattern="SECRET"))
    assert [match.path for match in found.matches] == ["inside.txt"]
    assert (root / "link").is_symlink()
    assert (outside / "secret.txt").read_text() == "SECRET\n"
    assert [entry.name for entry in outside.iterdir()] == ["secret.txt"]


async def test_the_root_may_be_reached_through_a_link_and_is_held(tmp_path: Path, root: Path, outside: Path) -> None:
    (root / "inside.txt").write_text("inside")
    (tmp_path / "link").symlink_to(root)
    workspace = DirectoryWorkspace(tmp_path / "link")
    assert workspace.root == root
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(outside)
    assert (await workspace.read_file("inside.txt")).text == "inside"
    root.rename(tmp_path / "moved")
    outside.rename(root)
    await workspace.write_file("new.txt", "new")
    assert (tmp_path / "moved" / "new.txt").read_text() == "new"


async def test_a_workspace_whose_directory_was_deleted_says_so(workspace: DirectoryWorkspace, root: Path) -> None:
    await workspace.list_files()
    root.rmdir()
    for attempt in (workspace.read_file("a.txt"), workspace.write_file("a.txt", ""), workspace.list_files("a")):
        with pytest.raises(StorageError, match="deleted"):
            await attempt


async def test_a_workspace_that_cannot_be_created_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be opened"):
        await DirectoryWorkspace(tmp_path / "file" / "ws").list_files()


async def test_the_workspace_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    workspace = DirectoryWorkspace(tmp_path / "new" / "ws")
    assert (await workspace.list_files()).entries == ()
    assert workspace.root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
async def test_only_files_are_read_and_written(
    workspace: DirectoryWorkspace, root: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)  # the address of a socket is short
    if kind == "pipe":
        os.mkfifo("special")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("special")
    else:
        _make_device(root / "special")
    reasons = await _reasons(workspace, "special")
    assert reasons.pop("list") is WorkspaceFault.NOT_A_DIRECTORY
    assert set(reasons.values()) == {WorkspaceFault.NOT_A_FILE}
    (entry,) = (await workspace.list_files()).entries
    assert (entry.kind, entry.size_bytes) == (EntryKind.OTHER, None)
    assert (await workspace.search_files(FileSearch(pattern="."))).searched_files == 0


def _make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o20666, os.makedev(1, 5))  # /dev/zero, which has no end
    except PermissionError:
        pytest.skip("only the superuser makes devices")


async def test_names_that_nobody_can_ask_for_are_counted(workspace: DirectoryWorkspace, root: Path) -> None:
    for name in (b"\xff\xfe", b"line\nbreak", b"back\\slash", b"\x1b[31mred"):
        try:
            (root / os.fsdecode(name)).write_text("word")
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
    (root / "plain.txt").write_text("word")
    listing = await workspace.list_files()
    assert [entry.path for entry in listing.entries] == ["plain.txt"]
    assert (listing.unspeakable, listing.is_complete) == (4, True)


async def test_names_of_one_look_are_different_files(workspace: DirectoryWorkspace, root: Path) -> None:
    await workspace.write_file("caf\u00e9.txt", "composed")
    if (root / "cafe\u0301.txt").exists():
        pytest.skip("this file system takes them for one")
    with pytest.raises(WorkspaceFileError) as caught:
        await workspace.read_file("cafe\u0301.txt")
    assert caught.value.nearest == ("caf\u00e9.txt",)


async def test_long_names_are_refused(workspace: DirectoryWorkspace) -> None:
    for attempt in _attempts(workspace, "x" * 256).values():
        with pytest.raises(WorkspaceFileError) as caught:
            await attempt()
        assert caught.value.reason is WorkspaceFault.INVALID_PATH


async def test_a_write_leaves_other_names_of_a_file_alone(
    workspace: DirectoryWorkspace, root: Path, outside: Path
) -> None:
    (root / "hard.txt").hardlink_to(outside / "secret.txt")
    await workspace.write_file("hard.txt", "mine")
    await workspace.edit_file("hard.txt", old_text="mine", new_text="still mine")
    assert (outside / "secret.txt").read_text() == "SECRET\n"


async def test_a_write_keeps_permissions_but_no_special_ones(workspace: DirectoryWorkspace, root: Path) -> None:
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o4755)
    await workspace.write_file("run.sh", "#!/bin/sh\nexit\n")
    assert (root / "run.sh").stat().st_mode & 0o7777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser becomes somebody else")
def test_what_the_system_forbids_is_told(tmp_path: Path) -> None:
    """In a process that becomes another user, because the superuser may read everything."""
    root = tmp_path / "ws"
    root.mkdir(mode=0o755)
    (root / "closed.txt").write_text("SECRET")
    (root / "closed.txt").chmod(0o600)
    (root / "closed").mkdir(mode=0o700)
    finished = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(root)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": _PATH},
    )
    told = ["permission_denied"] * 4 + ["closed", "closed.txt", "False"]
    assert finished.stdout.split() == told, finished.stderr


_PATH = os.pathsep.join(sys.path)
_AS_NOBODY = """
import asyncio, os, pathlib, sys
from cortex_adapters.workspace_files import DirectoryWorkspace
from cortex_domain.errors import WorkspaceFileError
from cortex_domain.workspace_files import FileSearch

async def main():
    workspace = DirectoryWorkspace(pathlib.Path(sys.argv[1]))
    await workspace.list_files()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    for attempt in (
        workspace.read_file("closed.txt"),
        workspace.write_file("new.txt", "x"),
        workspace.list_files("closed"),
        workspace.edit_file("closed.txt", old_text="a", new_text="b"),
    ):
        try:
            print(await attempt)
        except WorkspaceFileError as error:
            print(error.reason)
    for entry in (await workspace.list_files(depth=2)).entries:
        print(entry.path)
    print((await workspace.search_files(FileSearch(pattern="SECRET"))).is_complete)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has openat2")
def test_openat2_is_chosen_where_it_is(root: Path) -> None:
    fd = os.open(root, os.O_RDONLY)
    try:
        assert choose_opener(fd) is open_at_once
    finally:
        os.close(fd)


def test_the_walk_is_chosen_where_there_is_nothing_else() -> None:
    assert choose_opener(-1) is open_by_walk
