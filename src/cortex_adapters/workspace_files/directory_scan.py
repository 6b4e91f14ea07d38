"""Goes through a directory and those below it, in the order of names."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cortex_adapters.workspace_files.beneath import DIRECTORY_FLAGS
from cortex_adapters.workspace_files.interruption import Interruption
from cortex_domain.workspace_files import EntryKind, WorkspaceEntry, WorkspaceLimits
from cortex_domain.workspace_paths import is_hidden, is_speakable


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, and the open directory that it is in, for as long as the scan stands there.

    Attributes:
        entry: What is told of it.
        name: Its name in that directory.
        directory_fd: That directory.
    """

    entry: WorkspaceEntry
    name: str
    directory_fd: int


class DirectoryScan:
    """One walk through directories; counts what it passes over.

    Args:
        limits: How many entries it looks at, and how deep it goes at most.
        interruption: Ends it early.
    """

    def __init__(self, *, limits: WorkspaceLimits, interruption: Interruption) -> None:
        self._max_depth = limits.depth
        self._entries_left = limits.scanned_entries
        self._interruption = interruption
        self.hidden = 0
        self.unspeakable = 0
        self.is_complete = True

    def walk(self, directory_fd: int, names: Sequence[str], /, *, depth: int) -> Iterator[Found]:
        """Yields the entries of a directory, each directory followed by what is in it.

        A directory below that cannot be opened, because it is gone, has become a link, or is not permitted, is yielded
        and not entered.

        Args:
            directory_fd: The directory; stays open.
            names: Its names from the workspace on.
            depth: Levels to go down.
        """
        for name, kind, size_bytes in self._entries_of(directory_fd):
            path = "/".join((*names, name))
            yield Found(WorkspaceEntry(path=path, kind=kind, size_bytes=size_bytes), name, directory_fd)
            if kind is EntryKind.DIRECTORY and depth > 1:
                yield from self._below(directory_fd, (*names, name), depth=depth - 1)

    def _below(self, directory_fd: int, names: Sequence[str], *, depth: int) -> Iterator[Found]:
        if len(names) >= self._max_depth:
            self.is_complete = False
            return
        try:
            below = os.open(names[-1], DIRECTORY_FLAGS, dir_fd=directory_fd)
        except OSError:
            self.is_complete = False
            return
        try:
            yield from self.walk(below, names, depth=depth)
        finally:
            os.close(below)

    def _entries_of(self, directory_fd: int) -> list[tuple[str, EntryKind, int | None]]:
        found = []
        with os.scandir(directory_fd) as entries:
            for entry in entries:
                self._interruption.check()
                if not self._entries_left:
                    self.is_complete = False
                    break
                self._entries_left -= 1
                if self._is_told(entry.name):
                    found.append((entry.name, *_kind_and_size(entry)))
        return sorted(found)

    def _is_told(self, name: str) -> bool:
        self.hidden += is_hidden(name)
        speakable = is_hidden(name) or is_speakable(name)
        self.unspeakable += not speakable
        return speakable and not is_hidden(name)


def _kind_and_size(entry: "os.DirEntry[str]") -> tuple[EntryKind, int | None]:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return EntryKind.OTHER, None  # gone since the directory was read
    kind = kind_of(status.st_mode)
    return kind, status.st_size if kind is EntryKind.FILE else None


def kind_of(mode: int, /) -> EntryKind:
    """Tells what the `st_mode` of an entry says that it is."""
    if stat.S_ISREG(mode):
        return EntryKind.FILE
    if stat.S_ISDIR(mode):
        return EntryKind.DIRECTORY
    return EntryKind.SYMLINK if stat.S_ISLNK(mode) else EntryKind.OTHER
