"""Port: lists, reads, writes, edits and searches files below one directory, and nowhere else."""

from abc import abstractmethod
from pathlib import PurePath
from typing import Protocol

from cortex_domain.workspace_files import (
    EditedFile,
    FilePassage,
    FileSearch,
    FileSearchResult,
    WorkspaceLimits,
    WorkspaceListing,
    WrittenFile,
)


class Workspace(Protocol):
    """The files that models work on.

    Contract:
        - A path begins in the workspace; its parts are separated by `/`. One that leads out is refused. Nothing outside
          is ever read, written or told of, also when others swap directories for links at the same time: symbolic links
          are listed and never followed.
        - Only regular files are read and written. What is not UTF-8 text is told, never garbled.
        - A write happens as a whole or not at all, and creates the directories that it needs. It replaces what was.
        - What version control systems keep is not written.
        - An edit replaces one passage that is there once, or all if so asked; otherwise nothing changes. Line ends stay
          what they are in the file.
        - Lines are counted from 1, and ranges include both ends.
        - Listings and searches go by name and pass over entries whose names begin with a dot, unless `path` itself
          names one.
        - Everything stays within `limits`; what was left out is told. No pattern keeps a search from ending.
        - Cancelling a call ends its work; nothing of it runs when the cancellation has passed on, and a write has then
          happened wholly or not at all.
    """

    @property
    @abstractmethod
    def limits(self) -> WorkspaceLimits:
        """How much one call may read, write and tell."""

    @property
    @abstractmethod
    def root(self) -> PurePath | None:
        """The directory of this machine that it is, for those who mount it elsewhere; None when there is none.

        Raises:
            StorageError: It is not there and cannot be created.
        """

    @abstractmethod
    async def list_files(self, path: str = ".", /, *, depth: int = 1) -> WorkspaceListing:
        """Lists a directory.

        Args:
            path: The directory.
            depth: Levels to go down: 1 lists the directory alone.

        Raises:
            WorkspaceFileError: It cannot be listed; `reason` says why.
            StorageError: The disk fails.
        """

    @abstractmethod
    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        """Reads lines of a file.

        Args:
            path: The file.
            start: First line, from 1.
            end: Last line; None, or a line after the last, reads on to the end of the file.

        Raises:
            WorkspaceFileError: It cannot be read, or has no such lines; `reason` says why.
            StorageError: The disk fails.
        """

    @abstractmethod
    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        """Writes a file, in place of what was there.

        Raises:
            WorkspaceFileError: It cannot be written; `reason` says why.
            StorageError: The disk is full or fails.
        """

    @abstractmethod
    async def edit_file(self, path: str, /, *, old_text: str, new_text: str, replace_all: bool = False) -> EditedFile:
        """Replaces a passage of a file.

        Args:
            path: The file.
            old_text: What is replaced, to the character.
            new_text: What takes its place; may be empty.
            replace_all: Whether to replace every place where it is.

        Raises:
            WorkspaceFileError: The file cannot be edited, or the passage is not clear; `reason` says why.
            StorageError: The disk is full or fails.
        """

    @abstractmethod
    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        """Finds lines that match a regular expression.

        Raises:
            WorkspaceFileError: The path, the pattern or the glob cannot be searched; `reason` says why.
            StorageError: The disk fails.
        """
