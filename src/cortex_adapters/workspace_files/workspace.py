"""The workspace port on a directory of this machine."""

import asyncio
import os
from pathlib import Path
from typing import Final

from cortex_adapters.workspace_files.atomic_writing import FileState, replace_file
from cortex_adapters.workspace_files.beneath import DIRECTORY_FLAGS, FILE_FLAGS, Opener
from cortex_adapters.workspace_files.directory_scan import DirectoryScan
from cortex_adapters.workspace_files.file_reading import (
    LineRange,
    is_text,
    not_text,
    read_passage,
    read_whole,
    regular_file,
    too_large,
)
from cortex_adapters.workspace_files.file_search import SearchRun
from cortex_adapters.workspace_files.interruption import Interruption, run_interruptible
from cortex_adapters.workspace_files.root_directory import RootDirectory
from cortex_domain.ports import Workspace
from cortex_domain.text_edits import replace_passage
from cortex_domain.workspace_files import (
    EditedFile,
    FilePassage,
    FileSearch,
    FileSearchResult,
    WorkspaceEntry,
    WorkspaceLimits,
    WorkspaceListing,
    WrittenFile,
)
from cortex_domain.workspace_paths import directory_parts, file_parts, writable_parts

_DEFAULT_LIMITS: Final = WorkspaceLimits()


class DirectoryWorkspace(Workspace):
    """Files below one directory, which is created when it is first needed, for its owner alone.

    The directory itself may be reached through links, since whoever runs Cortex named it. It is opened once and held:
    moving it, or putting a link in its place, does not change what the workspace is.

    Writes and edits of one workspace run one after the other, all else side by side, in threads.

    Args:
        directory: The directory.
        limits: How much one call may read, write and tell.
        opener: Opens what is below it; None chooses by what the system has.
    """

    def __init__(
        self, directory: Path, *, limits: WorkspaceLimits = _DEFAULT_LIMITS, opener: Opener | None = None
    ) -> None:
        self._root = RootDirectory(directory, opener=opener)
        self._limits = limits
        self._writing = asyncio.Lock()

    @property
    def limits(self) -> WorkspaceLimits:
        """How much one call may read, write and tell."""
        return self._limits

    @property
    def root(self) -> Path:
        """The directory, created if it was not there."""
        return self._root.path

    async def list_files(self, path: str = ".", /, *, depth: int = 1) -> WorkspaceListing:
        """Lists a directory."""
        names = directory_parts(path)

        def work(interruption: Interruption) -> WorkspaceListing:
            scan = DirectoryScan(limits=self._limits, interruption=interruption)
            with self._root.opened(path, names, DIRECTORY_FLAGS) as fd:
                return _listing(scan, fd, names, depth, self._limits.entries)

        return await run_interruptible(work)

    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        """Reads lines of a file."""
        names = file_parts(path)
        wanted = LineRange(start=start, end=end)

        def work(interruption: Interruption) -> FilePassage:
            with self._root.opened(path, names, FILE_FLAGS) as fd, regular_file(fd, path) as file:
                return read_passage(file, "/".join(names), wanted, limits=self._limits, interruption=interruption)

        return await run_interruptible(work)

    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        """Writes a file, in place of what was there."""
        names = writable_parts(path)
        encoded = self._encoded(content, path)

        def work(interruption: Interruption) -> WrittenFile:
            with self._root.opened_or_created(path, names[:-1]) as fd:
                is_new = replace_file(fd, names[-1], encoded, path=path, interruption=interruption)
            return WrittenFile(path="/".join(names), size_bytes=len(encoded), is_new=is_new)

        async with self._writing:
            return await run_interruptible(work)

    async def edit_file(self, path: str, /, *, old_text: str, new_text: str, replace_all: bool = False) -> EditedFile:
        """Replaces a passage of a file."""
        names = writable_parts(path)

        def work(interruption: Interruption) -> EditedFile:
            before, state = self._content(path, names)
            edit = replace_passage(before, old_text, new_text, path="/".join(names), replace_all=replace_all)
            encoded = self._encoded(edit.text, path)
            with self._root.opened(path, names[:-1], DIRECTORY_FLAGS) as fd:
                replace_file(fd, names[-1], encoded, path=path, interruption=interruption, expected=state)
            return EditedFile(path="/".join(names), size_bytes=len(encoded), lines=edit.lines)

        async with self._writing:
            return await run_interruptible(work)

    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        """Finds lines that match a regular expression."""
        names = directory_parts(search.path)

        def work(interruption: Interruption) -> FileSearchResult:
            run = SearchRun(search, limits=self._limits, interruption=interruption)
            with self._root.opened(search.path, names, FILE_FLAGS) as fd:
                return run.search(fd, names)

        return await run_interruptible(work)

    def _content(self, path: str, names: tuple[str, ...]) -> tuple[str, FileState]:
        """Reads a file as a whole, and what tells whether it is still the same when it is written."""
        with self._root.opened(path, names, FILE_FLAGS) as fd, regular_file(fd, path) as file:
            state = FileState.of(os.fstat(fd))
            content = read_whole(file, path, limits=self._limits)
        if not is_text(content):
            raise not_text(path, content)
        return content.decode(), state

    def _encoded(self, content: str, path: str) -> bytes:
        try:
            encoded = content.encode()
        except UnicodeEncodeError as exc:
            raise not_text(path, b"") from exc
        if len(encoded) > self._limits.file_bytes:
            raise too_large(path, self._limits)
        return encoded


def _listing(scan: DirectoryScan, fd: int, names: tuple[str, ...], depth: int, max_entries: int) -> WorkspaceListing:
    entries: list[WorkspaceEntry] = []
    is_complete = True
    for found in scan.walk(fd, names, depth=depth):
        if len(entries) == max_entries:
            is_complete = False
            break
        entries.append(found.entry)
    return WorkspaceListing(
        path="/".join(names) or ".",
        entries=tuple(entries),
        is_complete=is_complete and scan.is_complete,
        hidden=scan.hidden,
        unspeakable=scan.unspeakable,
    )
