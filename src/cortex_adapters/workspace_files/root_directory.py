"""The directory that a workspace is: opened once, and held."""

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from cortex_adapters.workspace_files.beneath import (
    DIRECTORY_FLAGS,
    Opener,
    choose_opener,
    open_or_create_directories,
)
from cortex_adapters.workspace_files.directory_scan import DirectoryScan
from cortex_adapters.workspace_files.error_translation import refusal, translated
from cortex_adapters.workspace_files.interruption import Interruption
from cortex_domain.errors import StorageError, WorkspaceFault, WorkspaceFileError
from cortex_domain.workspace_files import WorkspaceLimits
from cortex_domain.workspace_paths import nearest_paths

_MODE: Final = 0o700
_LOOKED_AT_FOR_NEAREST: Final = WorkspaceLimits(scanned_entries=2_000)


class RootDirectory:
    """Opens what is below one directory; for use in threads.

    Args:
        path: The directory; created with mode 0700 when it is first needed and not there.
        opener: Opens what is below it; None chooses by what the system has.
    """

    def __init__(self, path: Path, *, opener: Opener | None) -> None:
        self._path = path
        self._opener = opener
        self._fd: int | None = None
        self._opening = threading.Lock()

    @property
    def path(self) -> Path:
        """Where it is, without links."""
        self._opened()
        return self._path.resolve()

    @contextmanager
    def opened(self, path: str, names: Sequence[str], flags: int, /) -> Iterator[int]:
        """Opens what has these names, and closes it at the end of the block.

        Raises:
            WorkspaceFileError: It cannot be opened, or the system refuses something in the block.
            StorageError: The disk fails.
        """
        with self._translated(path, names) as (root_fd, opener):
            fd = opener(root_fd, names, flags)
            try:
                yield fd
            finally:
                os.close(fd)

    @contextmanager
    def opened_or_created(self, path: str, names: Sequence[str], /) -> Iterator[int]:
        """Opens a directory, and creates it where there is nothing; for the rest as `opened`."""
        with self._translated(path, names) as (root_fd, opener):
            try:
                fd = opener(root_fd, names, DIRECTORY_FLAGS)
            except FileNotFoundError:
                fd = open_or_create_directories(root_fd, names)
            try:
                yield fd
            finally:
                os.close(fd)

    @contextmanager
    def _translated(self, path: str, names: Sequence[str]) -> Iterator[tuple[int, Opener]]:
        root_fd, opener = self._opened()
        try:
            with translated(path, root_fd=root_fd, names=names):
                yield root_fd, opener
        except WorkspaceFileError as exc:
            if exc.reason is not WorkspaceFault.NOT_FOUND:
                raise
            raise refusal(path, exc.reason, nearest=_nearest(root_fd, names)) from exc

    def _opened(self) -> tuple[int, Opener]:
        with self._opening:
            if self._fd is None:
                self._fd = _open_root(self._path)
                weakref.finalize(self, os.close, self._fd)
            self._opener = self._opener or choose_opener(self._fd)
            return self._fd, self._opener


def _open_root(path: Path) -> int:
    try:
        path.mkdir(mode=_MODE, parents=True, exist_ok=True)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise StorageError(f"The workspace {str(path)!r} cannot be opened: {exc.strerror}.") from exc


def _nearest(root_fd: int, names: Sequence[str]) -> tuple[str, ...]:
    """Looks for what may have been meant by a path that is not there."""
    scan = DirectoryScan(limits=_LOOKED_AT_FOR_NEAREST, interruption=Interruption())
    known: list[str] = []
    with suppress(OSError):  # a directory that may not be read has no hints to give
        known.extend(found.entry.path for found in scan.walk(root_fd, (), depth=_LOOKED_AT_FOR_NEAREST.depth))
    return nearest_paths("/".join(names), known)
