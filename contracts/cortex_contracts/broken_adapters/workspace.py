"""Workspaces that are wrong in one way each."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.workspace import WorkspaceHarness
from cortex_domain.errors import WorkspaceFault, WorkspaceFileError
from cortex_domain.ports import Workspace
from cortex_domain.workspace_files import (
    EditedFile,
    FilePassage,
    FileSearch,
    FileSearchResult,
    WorkspaceLimits,
    WorkspaceListing,
    WrittenFile,
)


class _Passing(Workspace):
    """Wrong in no way yet."""

    def __init__(self, inner: Workspace) -> None:
        self._inner = inner

    @property
    def limits(self) -> WorkspaceLimits:
        return self._inner.limits

    @property
    def root(self) -> PurePath | None:
        return self._inner.root

    async def list_files(self, path: str = ".", /, *, depth: int = 1) -> WorkspaceListing:
        return await self._inner.list_files(path, depth=depth)

    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        return await self._inner.read_file(path, start=start, end=end)

    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        return await self._inner.write_file(path, content)

    async def edit_file(self, path: str, /, *, old_text: str, new_text: str, replace_all: bool = False) -> EditedFile:
        return await self._inner.edit_file(path, old_text=old_text, new_text=new_text, replace_all=replace_all)

    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        return await self._inner.search_files(search)


class _WritesAsciiOnly(_Passing):
    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        ascii_only = content if "\ud83d" in content else content.encode("ascii", "replace").decode()
        return await super().write_file(path, ascii_only)


class _IsElsewhere(_Passing):
    @property
    def root(self) -> PurePath | None:
        return PurePath(f"/elsewhere/{super().root}")


class _LeavesOutTheLastLine(_Passing):
    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        """Takes the end for the line after the last."""
        return await super().read_file(path, start=start, end=end - 1 if end is not None and end > start else end)


class _ReadsNothingBeyondTheEnd(_Passing):
    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        try:
            return await super().read_file(path, start=start, end=end)
        except WorkspaceFileError as exc:
            if exc.reason is not WorkspaceFault.INVALID_RANGE:
                raise
            return FilePassage(path=path, text="", start=start, end=start - 1, total_lines=None, has_more=False)


class _HidesThatThereIsMore(_Passing):
    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        passage = await super().read_file(path, start=start, end=end)
        return replace(passage, has_more=passage.has_more and end is not None)


class _TakesEveryFileForNew(_Passing):
    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        return replace(await super().write_file(path, content), is_new=True)


class _CreatesFewDirectories(_Passing):
    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        if path.startswith("./one//two"):
            raise WorkspaceFileError("Create it first.", path=path, reason=WorkspaceFault.NOT_FOUND)
        return await super().write_file(path, content)


class _StopsAtTheTop(_Passing):
    async def list_files(self, path: str = ".", /, *, depth: int = 1) -> WorkspaceListing:
        """Takes the directory above the workspace for the workspace, as the root of a file system does."""
        return await super().list_files("." if path == ".." else path, depth=depth)


class _TakesBackslashesForSlashes(_Passing):
    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        return await super().read_file(path.replace("\\", "/"), start=start, end=end)


class _NamesNothingNear(_Passing):
    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        try:
            return await super().read_file(path, start=start, end=end)
        except WorkspaceFileError as exc:
            exc.nearest = ()
            raise


class _FindsNoDirectory(_Passing):
    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        try:
            return await super().read_file(path, start=start, end=end)
        except WorkspaceFileError as exc:
            if exc.reason is WorkspaceFault.IS_DIRECTORY:
                exc.reason = WorkspaceFault.NOT_FOUND
            raise


class _ReadsWhatIsNoText(_Passing):
    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        try:
            return await super().read_file(path, start=start, end=end)
        except WorkspaceFileError as exc:
            if exc.reason is not WorkspaceFault.NOT_TEXT:
                raise
            return FilePassage(path=path, text="\ufffd", start=1, end=1, total_lines=1, has_more=False)


class _CutsLargeFiles(_Passing):
    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        return await super().write_file(path, content[: self.limits.file_bytes])


class _KnowsNoVersionControl(_Passing):
    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        return await super().write_file(path.replace("\uff0e", "_"), content)


class _CountsLinesFromZero(_Passing):
    async def edit_file(self, path: str, /, *, old_text: str, new_text: str, replace_all: bool = False) -> EditedFile:
        edited = await super().edit_file(path, old_text=old_text, new_text=new_text, replace_all=replace_all)
        return replace(edited, lines=tuple(line - 1 for line in edited.lines))


class _ReplacesAnyPlace(_Passing):
    async def edit_file(self, path: str, /, *, old_text: str, new_text: str, replace_all: bool = False) -> EditedFile:  # noqa: ARG002
        return await super().edit_file(path, old_text=old_text, new_text=new_text, replace_all=True)


class _MakesAllLineEndsAlike(_Passing):
    async def edit_file(self, path: str, /, *, old_text: str, new_text: str, replace_all: bool = False) -> EditedFile:
        edited = await super().edit_file(path, old_text=old_text, new_text=new_text, replace_all=replace_all)
        passage = await super().read_file(path)
        if "\r\n" in passage.text:
            await super().write_file(path, passage.text.replace("\r\n", "\n"))
        return edited


class _ListsBackwards(_Passing):
    async def list_files(self, path: str = ".", /, *, depth: int = 1) -> WorkspaceListing:
        listing = await super().list_files(path, depth=depth)
        return listing if listing.path == "many" else replace(listing, entries=listing.entries[::-1])


class _ListsAllItSeems(_Passing):
    async def list_files(self, path: str = ".", /, *, depth: int = 1) -> WorkspaceListing:
        return replace(await super().list_files(path, depth=depth), is_complete=True)


class _HidesThatItHides(_Passing):
    async def list_files(self, path: str = ".", /, *, depth: int = 1) -> WorkspaceListing:
        return replace(await super().list_files(path, depth=depth), hidden=0)


class _CountsFoundLinesFromZero(_Passing):
    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        result = await super().search_files(search)
        return replace(result, matches=tuple(replace(match, line=match.line - 1) for match in result.matches))


class _IgnoresGlobs(_Passing):
    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        is_hostile = search.glob is not None and len(search.glob) > 20
        return await super().search_files(search if is_hostile else replace(search, glob=None))


class _FindsAllItSeems(_Passing):
    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        return replace(await super().search_files(search), is_complete=True)


class _HidesWhatItSkips(_Passing):
    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        return replace(await super().search_files(search), skipped_not_text=0, skipped_large=0)


class _FindsNothingByBadPatterns(_Passing):
    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        try:
            return await super().search_files(search)
        except WorkspaceFileError as exc:
            if exc.reason is not WorkspaceFault.INVALID_PATTERN:
                raise
            return FileSearchResult(matches=(), searched_files=0)


class _Backtracks(_Passing):
    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        """Takes its time over repetitions of repetitions."""
        if "+)+" in search.pattern:
            await asyncio.Event().wait()
        return await super().search_files(search)


class _TiresOfAFile(_Passing):
    def __init__(self, inner: Workspace) -> None:
        super().__init__(inner)
        self._written: Counter[str] = Counter()

    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        """Writes a file below a directory twice, and then no more."""
        written = WrittenFile(path=path, size_bytes=0, is_new=False)
        if self._written[path] < 2:
            written = await super().write_file(path, content)
        self._written[path] += "/" in path
        return written


def _breakage(requirement_id: str, broken: Callable[[Workspace], Workspace]) -> Breakage[WorkspaceHarness]:
    return Breakage(
        requirement_id, broken.__name__, lambda harness: replace(harness, workspace=broken(harness.workspace))
    )


BROKEN_WORKSPACES = (
    _breakage("workspace.reads_what_was_written", _WritesAsciiOnly),
    _breakage("workspace.is_where_its_root_is", _IsElsewhere),
    _breakage("workspace.reads_lines", _LeavesOutTheLastLine),
    _breakage("workspace.refuses_lines_that_are_not_there", _ReadsNothingBeyondTheEnd),
    _breakage("workspace.passages_are_bounded", _HidesThatThereIsMore),
    _breakage("workspace.tells_whether_new", _TakesEveryFileForNew),
    _breakage("workspace.creates_directories", _CreatesFewDirectories),
    _breakage("workspace.refuses_to_leave", _StopsAtTheTop),
    _breakage("workspace.refuses_names_that_nothing_can_have", _TakesBackslashesForSlashes),
    _breakage("workspace.names_what_may_be_meant", _NamesNothingNear),
    _breakage("workspace.tells_files_from_directories", _FindsNoDirectory),
    _breakage("workspace.garbles_nothing", _ReadsWhatIsNoText),
    _breakage("workspace.writes_are_bounded", _CutsLargeFiles),
    _breakage("workspace.spares_version_control", _KnowsNoVersionControl),
    _breakage("workspace.tells_where_it_edited", _CountsLinesFromZero),
    _breakage("workspace.refuses_unclear_edits", _ReplacesAnyPlace),
    _breakage("workspace.edits_keep_line_ends", _MakesAllLineEndsAlike),
    _breakage("workspace.lists_by_name", _ListsBackwards),
    _breakage("workspace.listings_are_bounded", _ListsAllItSeems),
    _breakage("workspace.passes_over_hidden_entries", _HidesThatItHides),
    _breakage("workspace.finds_lines", _CountsFoundLinesFromZero),
    _breakage("workspace.searches_where_asked", _IgnoresGlobs),
    _breakage("workspace.searches_are_bounded", _FindsAllItSeems),
    _breakage("workspace.searches_tell_what_they_skip", _HidesWhatItSkips),
    _breakage("workspace.refuses_bad_patterns", _FindsNothingByBadPatterns),
    _breakage("workspace.no_pattern_hangs", _Backtracks),
    _breakage("workspace.state_follows_history", _TiresOfAFile),
)
