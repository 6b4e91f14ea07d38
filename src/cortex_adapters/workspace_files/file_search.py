"""Searches files one after the other, until there is enough."""

import os
import stat
import time
from collections.abc import Sequence
from io import BufferedReader
from typing import Final

from cortex_adapters.workspace_files.beneath import FILE_FLAGS
from cortex_adapters.workspace_files.directory_scan import DirectoryScan, Found
from cortex_adapters.workspace_files.file_reading import is_text, regular_file
from cortex_adapters.workspace_files.interruption import Interruption
from cortex_adapters.workspace_files.text_search import LinePattern
from cortex_domain.errors import WorkspaceFileError
from cortex_domain.path_globs import parse_glob
from cortex_domain.workspace_files import EntryKind, FileMatch, FileSearch, FileSearchResult, WorkspaceLimits

_EVERYTHING: Final = "*"


class SearchRun:
    """One search.

    Args:
        search: What is looked for.
        limits: How much it goes through and finds.
        interruption: Ends it early.

    Raises:
        WorkspaceFileError: The pattern or the glob cannot be searched for.
    """

    def __init__(self, search: FileSearch, *, limits: WorkspaceLimits, interruption: Interruption) -> None:
        self._pattern = LinePattern(search.pattern)
        self._glob = parse_glob(_EVERYTHING if search.glob is None else search.glob)
        self._limits = limits
        self._interruption = interruption
        self._ends_at_s = time.monotonic() + limits.search_s
        self._bytes_left = limits.scanned_bytes
        self._matches: list[FileMatch] = []
        self._searched = self._not_text = self._large = 0
        self._is_complete = True

    def search(self, fd: int, names: Sequence[str], /) -> FileSearchResult:
        """Searches an open directory and those below it, or an open file.

        Raises:
            WorkspaceFileError: It is neither.
        """
        try:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                self._search_directory(fd, names)
            elif self._glob.matches(names[-1:]):
                self._search_file(fd, "/".join(names))
        except _EnoughError:
            self._is_complete = False
        return FileSearchResult(
            matches=tuple(self._matches),
            searched_files=self._searched,
            skipped_not_text=self._not_text,
            skipped_large=self._large,
            is_complete=self._is_complete,
        )

    def _search_directory(self, fd: int, names: Sequence[str]) -> None:
        scan = DirectoryScan(limits=self._limits, interruption=self._interruption)
        for found in scan.walk(fd, names, depth=self._limits.depth):
            parts = found.entry.path.split("/")
            if found.entry.kind is EntryKind.FILE and self._glob.matches(parts[len(names) :]):
                self._search_found(found)
        self._is_complete &= scan.is_complete

    def _search_found(self, found: Found) -> None:
        """Searches a file of a directory that is open; one that is gone meanwhile, or not permitted, is left out."""
        try:
            fd = os.open(found.name, FILE_FLAGS, dir_fd=found.directory_fd)
        except OSError:
            self._is_complete = False
            return
        try:
            self._search_file(fd, found.entry.path)
        except (OSError, WorkspaceFileError):
            self._is_complete = False
        finally:
            os.close(fd)

    def _search_file(self, fd: int, path: str) -> None:
        self._check()
        with regular_file(fd, path) as file:
            content = self._content(file)
        if content is None:
            return
        self._searched += 1
        found = self._pattern.find(content, line_characters=self._limits.line_characters, check=self._check)
        for line in found:
            if len(self._matches) == self._limits.matches:
                raise _EnoughError
            self._matches.append(FileMatch(path=path, line=line.number, text=line.text))

    def _content(self, file: BufferedReader) -> bytes | None:
        """Reads what can be searched, and counts what cannot."""
        if os.fstat(file.fileno()).st_size > self._limits.file_bytes:
            self._large += 1
            return None
        content = file.read(self._limits.file_bytes)
        self._bytes_left -= len(content)
        if is_text(content):
            return content
        self._not_text += 1
        return None

    def _check(self) -> None:
        self._interruption.check()
        if self._bytes_left <= 0 or time.monotonic() > self._ends_at_s:
            raise _EnoughError


class _EnoughError(Exception):
    """The search has gone through, found or taken as much as it may."""
