"""What the operating system refuses, in the domain's words."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from cortex_adapters.workspace_files.beneath import DIRECTORY_FLAGS
from cortex_domain.errors import StorageError, WorkspaceFault, WorkspaceFileError

_FAULTS: Final[Mapping[int, WorkspaceFault]] = {
    errno.ENOENT: WorkspaceFault.NOT_FOUND,
    errno.ENOTDIR: WorkspaceFault.NOT_A_DIRECTORY,
    errno.EISDIR: WorkspaceFault.IS_DIRECTORY,
    errno.ELOOP: WorkspaceFault.SYMLINK,
    errno.EXDEV: WorkspaceFault.OUTSIDE,
    errno.EACCES: WorkspaceFault.PERMISSION_DENIED,
    errno.EPERM: WorkspaceFault.PERMISSION_DENIED,
    errno.ENXIO: WorkspaceFault.NOT_A_FILE,
    errno.EOPNOTSUPP: WorkspaceFault.NOT_A_FILE,
    errno.ENAMETOOLONG: WorkspaceFault.INVALID_PATH,
    errno.EILSEQ: WorkspaceFault.INVALID_PATH,
    errno.EINVAL: WorkspaceFault.INVALID_PATH,
    errno.EAGAIN: WorkspaceFault.CHANGED_MEANWHILE,
}
_SENTENCES: Final[Mapping[WorkspaceFault, str]] = {
    WorkspaceFault.NOT_FOUND: "is not in the workspace.",
    WorkspaceFault.NOT_A_DIRECTORY: "is a file, or goes through one. Name a directory.",
    WorkspaceFault.IS_DIRECTORY: "is a directory. Name a file; list the directory to see those that are in it.",
    WorkspaceFault.SYMLINK: "is a symbolic link, or goes through one. Links are not followed: name what they lead to.",
    WorkspaceFault.OUTSIDE: "leads out of the workspace. Name something in it.",
    WorkspaceFault.PERMISSION_DENIED: "may not be used: the system does not permit it. Choose another file.",
    WorkspaceFault.NOT_A_FILE: "is a device, a pipe or a socket. Name a file.",
    WorkspaceFault.INVALID_PATH: "cannot name anything here: a part of it is too long, or not allowed on this system.",
    WorkspaceFault.CHANGED_MEANWHILE: "is being changed by somebody else. Look at it again.",
}


@contextmanager
def translated(path: str, /, *, root_fd: int, names: Sequence[str]) -> Iterator[None]:
    """Turns what the operating system refuses in the block into the domain's errors.

    Args:
        path: What was asked for, for messages.
        root_fd: The workspace.
        names: The path's names; looked at again only to say what stands in the way.
    """
    try:
        yield
    except OSError as exc:
        fault = _FAULTS.get(exc.errno or 0)
        if os.fstat(root_fd).st_nlink == 0:
            raise StorageError("The workspace's directory was deleted. Whoever runs Cortex must restart it.") from exc
        if fault is None:
            raise StorageError(f"The workspace's disk failed at {path!r}: {exc.strerror}.") from exc
        if fault is WorkspaceFault.NOT_A_DIRECTORY and _goes_through_link(root_fd, names):
            fault = WorkspaceFault.SYMLINK
        raise refusal(path, fault) from exc


def refusal(path: str, fault: WorkspaceFault, /, *, nearest: Sequence[str] = ()) -> WorkspaceFileError:
    """Builds the error of a fault that has a sentence of its own."""
    hint = f" Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
    shown = path if len(path) <= 200 else f"{path[:200]}…"
    return WorkspaceFileError(f"{shown!r} {_SENTENCES[fault]}{hint}", path=path, reason=fault, nearest=nearest)


def _goes_through_link(root_fd: int, names: Sequence[str]) -> bool:
    """Looks which of the names is in the way. Opening a link as a directory only says that it is none."""
    current = os.dup(root_fd)
    try:
        for name in names:
            if stat.S_ISLNK(os.stat(name, dir_fd=current, follow_symlinks=False).st_mode):
                return True
            below = os.open(name, DIRECTORY_FLAGS, dir_fd=current)
            os.close(current)
            current = below
    except OSError:
        return False
    finally:
        os.close(current)
    return False
