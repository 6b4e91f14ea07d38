"""Writes files as a whole: next to the old one, onto the disk, and then in its place."""

import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass

from cortex_adapters.workspace_files.directory_scan import kind_of
from cortex_adapters.workspace_files.error_translation import refusal
from cortex_adapters.workspace_files.interruption import Interruption
from cortex_domain.errors import WorkspaceFault
from cortex_domain.workspace_files import EntryKind

_FAULTS = {
    EntryKind.DIRECTORY: WorkspaceFault.IS_DIRECTORY,
    EntryKind.SYMLINK: WorkspaceFault.SYMLINK,
    EntryKind.OTHER: WorkspaceFault.NOT_A_FILE,
}


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells one state of a file from another."""

    inode: int
    size_bytes: int
    modified_ns: int
    mode: int

    @classmethod
    def of(cls, status: os.stat_result, /) -> "FileState":
        """Takes from a `stat` what counts."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode)


def replace_file(
    directory_fd: int,
    name: str,
    content: bytes,
    /,
    *,
    path: str,
    interruption: Interruption,
    expected: FileState | None = None,
) -> bool:
    """Puts a file in the place of what has this name in a directory, with its permissions. Tells whether it is new.

    What had the name keeps its content: whoever has it open, or knows it by another name (a hard link), sees no change.

    Args:
        directory_fd: The directory.
        name: A single name.
        content: What the file holds then.
        path: What was asked for, for messages.
        interruption: Ends it before the file is in its place.
        expected: What was there when the content was made of it; None overwrites whatever is there.

    Raises:
        WorkspaceFileError: What has the name is no file, or is not what was expected.
        OSError: The system refuses, or the disk is full.
    """
    before = _present(directory_fd, name, path)
    temporary = f".cortex-{secrets.token_hex(8)}.tmp"
    try:
        _write_new(directory_fd, temporary, content, before)
        _check_unchanged(directory_fd, name, path, expected)
        interruption.check()
        os.rename(temporary, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except BaseException:
        _remove(directory_fd, temporary)
        raise
    os.fsync(directory_fd)
    return before is None


def _check_unchanged(directory_fd: int, name: str, path: str, expected: FileState | None) -> None:
    if expected is not None and _present(directory_fd, name, path) != expected:
        raise refusal(path, WorkspaceFault.CHANGED_MEANWHILE)


def _present(directory_fd: int, name: str, path: str) -> FileState | None:
    try:
        status = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    kind = kind_of(status.st_mode)
    if kind is not EntryKind.FILE:
        raise refusal(path, _FAULTS[kind])
    return FileState.of(status)


def _write_new(directory_fd: int, name: str, content: bytes, before: FileState | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o666, dir_fd=directory_fd)
    with os.fdopen(fd, "wb") as file:
        if before is not None:
            # Never set-user-ID and the like: who wrote this file is not who wrote the other.
            os.fchmod(fd, stat.S_IMODE(before.mode) & 0o777)
        file.write(content)
        file.flush()
        os.fsync(fd)


def _remove(directory_fd: int, name: str) -> None:
    with suppress(OSError):  # it was never there, or the failure that led here tells more
        os.unlink(name, dir_fd=directory_fd)
