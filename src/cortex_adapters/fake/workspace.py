"""A workspace without a disk."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import re2

from cortex_domain.errors import WorkspaceFault, WorkspaceFileError
from cortex_domain.path_globs import parse_glob
from cortex_domain.ports import Workspace
from cortex_domain.text_edits import replace_passage
from cortex_domain.workspace_files import (
    EditedFile,
    EntryKind,
    FileMatch,
    FilePassage,
    FileSearch,
    FileSearchResult,
    WorkspaceEntry,
    WorkspaceLimits,
    WorkspaceListing,
    WrittenFile,
)
from cortex_domain.workspace_paths import directory_parts, file_parts, is_hidden, nearest_paths, writable_parts

_NO_LIMITS: Final = WorkspaceLimits()

Names = tuple[str, ...]


class FakeWorkspace(Workspace):
    """Files in a table; a directory is there as long as a file is in it.

    Args:
        files: What is there at the beginning, by path.
        limits: How much one call may read, write and tell.
    """

    def __init__(self, files: Mapping[str, str | bytes] = {}, *, limits: WorkspaceLimits = _NO_LIMITS) -> None:
        self._limits = limits
        self._files: dict[Names, bytes] = {}
        for path, content in files.items():
            self.place(path, content)

    @property
    def limits(self) -> WorkspaceLimits:
        """How much one call may read, write and tell."""
        return self._limits

    @property
    def root(self) -> None:
        """None: it is nowhere on this machine."""
        return

    def place(self, path: str, content: str | bytes, /) -> None:
        """Puts a file there whatever it holds, as somebody else would who shares the workspace."""
        self._files[file_parts(path)] = content.encode() if isinstance(content, str) else content

    async def list_files(self, path: str = ".", /, *, depth: int = 1) -> WorkspaceListing:
        """Lists a directory."""
        names = directory_parts(path)
        self._check_directory(path, names)
        passed_over: list[Names] = []
        deepest = min(len(names) + depth, self._limits.depth)
        found = [self._entry(entry) for entry in self._walk(names, deepest, passed_over)]
        kept = found[: self._limits.entries]
        is_whole = all(len(file) <= deepest or depth < self._limits.depth for file in self._files)
        return WorkspaceListing(
            path="/".join(names) or ".",
            entries=tuple(kept),
            is_complete=kept == found and is_whole,
            hidden=len(passed_over),
        )

    async def read_file(self, path: str, /, *, start: int = 1, end: int | None = None) -> FilePassage:
        """Reads lines of a file."""
        names = file_parts(path)
        text = self._text(path, names)
        lines = _lines(text)
        last = len(lines) if end is None else min(end, len(lines))
        if start < 1 or (end is not None and end < start) or (start > 1 and start > len(lines)):
            raise _refusal(path, WorkspaceFault.INVALID_RANGE)
        passage, is_cut = _fitting(lines[start - 1 : last], self._limits.read_bytes)
        end = start + len(passage) - 1
        return FilePassage(
            path="/".join(names),
            text="".join(passage),
            start=start,
            end=end,
            total_lines=len(lines),
            has_more=end < len(lines) or is_cut,
            is_cut=is_cut,
        )

    async def write_file(self, path: str, content: str, /) -> WrittenFile:
        """Writes a file, in place of what was there."""
        names = writable_parts(path)
        self._check_file(path, names, must_exist=False)
        is_new = names not in self._files
        return WrittenFile(path="/".join(names), size_bytes=self._put(path, names, content), is_new=is_new)

    async def edit_file(self, path: str, /, *, old_text: str, new_text: str, replace_all: bool = False) -> EditedFile:
        """Replaces a passage of a file."""
        names = writable_parts(path)
        edit = replace_passage(self._text(path, names), old_text, new_text, path=path, replace_all=replace_all)
        return EditedFile(path="/".join(names), size_bytes=self._put(path, names, edit.text), lines=edit.lines)

    async def search_files(self, search: FileSearch, /) -> FileSearchResult:
        """Finds lines that match a regular expression."""
        names = directory_parts(search.path)
        pattern = _compiled(search.pattern)
        glob = parse_glob(search.glob or "*")
        if names not in self._files:
            self._check_directory(search.path, names)
        files = [file for file in self._searched(names) if glob.matches(file[len(names) :] or file[-1:])]
        large = [file for file in files if len(self._files[file]) > self._limits.file_bytes]
        texts = {file: _decoded(self._files[file]) for file in files if file not in large}
        found = [
            match for file, text in texts.items() if text is not None for match in self._found(file, text, pattern)
        ]
        return FileSearchResult(
            matches=tuple(found[: self._limits.matches]),
            searched_files=sum(text is not None for text in texts.values()),
            skipped_not_text=sum(text is None for text in texts.values()),
            skipped_large=len(large),
            is_complete=len(found) <= self._limits.matches,
        )

    def _searched(self, names: Names) -> list[Names]:
        """Finds the files that a search goes through: one, or those of a directory."""
        if names in self._files:
            return [names]
        return [file for file in self._walk(names, self._limits.depth, []) if file in self._files]

    def _found(self, file: Names, text: str, pattern: Any) -> Iterator[FileMatch]:  # noqa: ANN401 - no types
        for number, line in enumerate(_lines(text), start=1):
            shown = line.removesuffix("\n").removesuffix("\r")
            if match := pattern.search(shown):
                begin = match.start() if len(shown) > self._limits.line_characters else 0
                yield FileMatch(
                    path="/".join(file), line=number, text=shown[begin : begin + self._limits.line_characters]
                )

    def _walk(self, names: Names, deepest: int, passed_over: list[Names]) -> Iterator[Names]:
        for name in sorted({file[len(names)] for file in self._files if file[: len(names)] == names != file}):
            below = (*names, name)
            if is_hidden(name):
                passed_over.append(below)
                continue
            yield below
            if len(below) < deepest:
                yield from self._walk(below, deepest, passed_over)

    def _entry(self, names: Names) -> WorkspaceEntry:
        content = self._files.get(names)
        return WorkspaceEntry(
            path="/".join(names),
            kind=EntryKind.DIRECTORY if content is None else EntryKind.FILE,
            size_bytes=None if content is None else len(content),
        )

    def _text(self, path: str, names: Names) -> str:
        self._check_file(path, names, must_exist=True)
        if len(self._files[names]) > self._limits.file_bytes:
            raise _refusal(path, WorkspaceFault.TOO_LARGE)
        text = _decoded(self._files[names])
        if text is None:
            raise _refusal(path, WorkspaceFault.NOT_TEXT)
        return text

    def _put(self, path: str, names: Names, text: str) -> int:
        try:
            content = text.encode()
        except UnicodeEncodeError as exc:
            raise _refusal(path, WorkspaceFault.NOT_TEXT) from exc
        if len(content) > self._limits.file_bytes:
            raise _refusal(path, WorkspaceFault.TOO_LARGE)
        self._files[names] = content
        return len(content)

    def _check_file(self, path: str, names: Names, *, must_exist: bool) -> None:
        self._check_way(path, names)
        if names not in self._files and self._is_directory(names):
            raise _refusal(path, WorkspaceFault.IS_DIRECTORY)
        if names not in self._files and must_exist:
            raise self._not_found(path, names)

    def _check_directory(self, path: str, names: Names) -> None:
        self._check_way(path, names)
        if names in self._files:
            raise _refusal(path, WorkspaceFault.NOT_A_DIRECTORY)
        if not self._is_directory(names):
            raise self._not_found(path, names)

    def _check_way(self, path: str, names: Names) -> None:
        if any(names[:length] in self._files for length in range(1, len(names))):
            raise _refusal(path, WorkspaceFault.NOT_A_DIRECTORY)

    def _is_directory(self, names: Names) -> bool:
        return not names or any(file[: len(names)] == names for file in self._files)

    def _not_found(self, path: str, names: Names) -> WorkspaceFileError:
        known = ["/".join(entry) for entry in self._walk((), self._limits.depth, [])]
        return _refusal(path, WorkspaceFault.NOT_FOUND, nearest=nearest_paths("/".join(names), known))


def _lines(text: str) -> list[str]:
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1].removesuffix("\n")
    return lines if lines[-1] else lines[:-1]


def _fitting(lines: Sequence[str], max_bytes: int) -> tuple[list[str], bool]:
    """Keeps the lines that fit together, or else the beginning of the first; and tells whether it was cut."""
    if lines and len(lines[0].encode()) > max_bytes:
        return [lines[0].encode()[:max_bytes].decode(errors="ignore")], True
    kept: list[str] = []
    room = max_bytes
    for line in lines:
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
    return kept, False


def _decoded(content: bytes) -> str | None:
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


def _compiled(pattern: str) -> Any:  # noqa: ANN401 - the library has no types
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as exc:
        raise _refusal("", WorkspaceFault.INVALID_PATTERN) from exc


def _refusal(path: str, fault: WorkspaceFault, *, nearest: Sequence[str] = ()) -> WorkspaceFileError:
    return WorkspaceFileError(f"{path!r}: {fault.value}.", path=path, reason=fault, nearest=nearest)
