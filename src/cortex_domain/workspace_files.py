"""What a workspace tells of its files, and how much at a time."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceLimits:
    """How much one use of a workspace may read, write and tell. All are at least 1.

    What is told is little by default, because a model has to read it: 20 kB are about 6,000 tokens.

    Attributes:
        read_bytes: Longest passage that one reading returns, in bytes of UTF-8.
        file_bytes: Largest file that is written, edited or searched, in bytes.
        scanned_bytes: What one reading or search goes through at most, in bytes.
        entries: Most entries that one listing returns.
        scanned_entries: Most directory entries that one listing or search looks at.
        depth: Most levels of directories that one listing or search goes down.
        matches: Most lines that one search returns.
        line_characters: Longest part of a line that a search shows.
        search_s: Seconds after which a search returns what it has.
    """

    read_bytes: int = 20_000
    file_bytes: int = 10_000_000
    scanned_bytes: int = 200_000_000
    entries: int = 200
    scanned_entries: int = 50_000
    depth: int = 16
    matches: int = 50
    line_characters: int = 300
    search_s: float = 10.0


class EntryKind(StrEnum):
    """FILE and DIRECTORY say themselves. SYMLINK: not followed. OTHER: a device, a pipe or a socket."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceEntry:
    """One entry of a directory.

    Attributes:
        path: From the workspace on, parts separated by `/`.
        kind: What it is.
        size_bytes: Size of a file, in bytes; None for anything else.
    """

    path: str
    kind: EntryKind
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceListing:
    """What is in a directory.

    Attributes:
        path: The directory, from the workspace on; `.` is the workspace itself.
        entries: In the order of their names, each directory followed by what is in it.
        is_complete: Whether that is all down to the depth asked for, besides what the next two count.
        hidden: Entries passed over because their names begin with a dot.
        unspeakable: Entries passed over because nobody could ask for them: their names are not UTF-8, or hold control
            characters or backslashes.
    """

    path: str
    entries: tuple[WorkspaceEntry, ...]
    is_complete: bool
    hidden: int = 0
    unspeakable: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePassage:
    r"""Some lines of a file.

    Attributes:
        path: The file, from the workspace on.
        text: The lines with their ends, as they are in the file; a byte order mark at its beginning is left out.
        start: Number of the first line, from 1.
        end: Number of the last line; below `start` when the file is empty.
        total_lines: Lines of the whole file; None when it is too large to be counted. What follows the last `\n` is a
            line too, unless it is empty.
        has_more: Whether the file goes on after this passage.
        is_cut: Whether the last line is longer than what is read at once, and was cut.
    """

    path: str
    text: str
    start: int
    end: int
    total_lines: int | None
    has_more: bool
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """A file that was written.

    Attributes:
        path: The file, from the workspace on.
        size_bytes: Its size now, in bytes.
        is_new: Whether it was not there before.
    """

    path: str
    size_bytes: int
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFile:
    """A file in which text was replaced.

    Attributes:
        path: The file, from the workspace on.
        size_bytes: Its size now, in bytes.
        lines: Numbers of the lines in which the new passages begin, from 1.
    """

    path: str
    size_bytes: int
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSearch:
    r"""What is looked for.

    Attributes:
        pattern: Regular expression in RE2's syntax, looked for in each line; `^` and `$` are the ends of a line.
        path: Directory or file to search, from the workspace on; `.` is the workspace itself.
        glob: Searches only the files below `path` that it means, as `parse_glob` reads it; None searches all.
    """

    pattern: str
    path: str = "."
    glob: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMatch:
    """A line that matches.

    Attributes:
        path: Its file, from the workspace on.
        line: Its number, from 1.
        text: The line without its end, or the part of a long line that begins a little before the match.
    """

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSearchResult:
    """What a search found.

    Attributes:
        matches: By file, in the order of a listing, and by line.
        searched_files: How many files were searched.
        skipped_not_text: Files passed over because they are not UTF-8 text.
        skipped_large: Files passed over because of their size.
        is_complete: Whether all was searched, besides what was passed over and what is hidden or no file.
    """

    matches: tuple[FileMatch, ...]
    searched_files: int
    skipped_not_text: int = 0
    skipped_large: int = 0
    is_complete: bool = True
