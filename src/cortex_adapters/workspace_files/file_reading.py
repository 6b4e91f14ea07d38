"""Reads open files: as a whole, or some lines of them."""

import codecs
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Final

from cortex_adapters.workspace_files.error_translation import refusal
from cortex_adapters.workspace_files.interruption import Interruption
from cortex_domain.errors import WorkspaceFault, WorkspaceFileError
from cortex_domain.workspace_files import FilePassage, WorkspaceLimits

_BLOCK_BYTES: Final = 1 << 18
_LOOKED_AT_BYTES: Final = 8_192
"""What a zero byte is looked for in, as in Git and grep: no text has one."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_OTHER_UNICODE: Final = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def regular_file(fd: int, path: str, /) -> Iterator[BufferedReader]:
    """Reads by a descriptor, which stays open.

    Raises:
        WorkspaceFileError: It is one of a directory, a device, a pipe or a socket.
    """
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        raise refusal(path, WorkspaceFault.IS_DIRECTORY if stat.S_ISDIR(mode) else WorkspaceFault.NOT_A_FILE)
    with os.fdopen(fd, "rb", closefd=False) as file:
        yield file


def read_whole(file: BufferedReader, path: str, /, *, limits: WorkspaceLimits) -> bytes:
    """Reads a file of at most `file_bytes`.

    Raises:
        WorkspaceFileError: It is larger.
    """
    content = file.read(limits.file_bytes + 1)
    if len(content) > limits.file_bytes:
        raise too_large(path, limits)
    return content


def is_text(content: bytes, /) -> bool:
    """Tells whether bytes are UTF-8 text."""
    try:
        return b"\0" not in content[:_LOOKED_AT_BYTES] and content.decode() is not None
    except UnicodeDecodeError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRange:
    """Which lines are wanted.

    Attributes:
        start: The first, from 1.
        end: The last; None reads on.
    """

    start: int
    end: int | None

    @property
    def count(self) -> int | None:
        """How many lines that are; None when it has no end."""
        return None if self.end is None else self.end - self.start + 1


def read_passage(
    file: BufferedReader, path: str, wanted: LineRange, /, *, limits: WorkspaceLimits, interruption: Interruption
) -> FilePassage:
    """Reads lines as far as `read_bytes` allows, and counts all as far as `scanned_bytes` does.

    Raises:
        WorkspaceFileError: The file is not text, or has no such lines.
    """
    _check_range(wanted, path)
    beginning = os.pread(file.fileno(), _LOOKED_AT_BYTES, 0)
    if b"\0" in beginning:
        raise not_text(path, beginning)
    offset, total_lines = _scan_lines(file, wanted.start, limits.scanned_bytes, interruption)
    size_bytes = os.fstat(file.fileno()).st_size
    if offset is None or (wanted.start > 1 and offset >= size_bytes):
        raise _no_such_lines(path, _extent(total_lines, limits))
    file.seek(offset)
    content, is_cut = _whole_lines(file.read(limits.read_bytes + 1), wanted.count, limits.read_bytes)
    return FilePassage(
        path=path,
        text=_decoded(content.removeprefix(_BYTE_ORDER_MARK) if offset == 0 else content, path, is_cut=is_cut),
        start=wanted.start,
        end=wanted.start + _count_lines(content) - 1,
        total_lines=total_lines,
        has_more=offset + len(content) < size_bytes,
        is_cut=is_cut,
    )


def too_large(path: str, limits: WorkspaceLimits, /) -> WorkspaceFileError:
    """Builds the error of a file that is too large to be taken as a whole."""
    return WorkspaceFileError(
        f"{path!r} has more than {limits.file_bytes} bytes, which is too large. Work on a smaller file.",
        path=path,
        reason=WorkspaceFault.TOO_LARGE,
    )


def not_text(path: str, content: bytes, /) -> WorkspaceFileError:
    """Builds the error of a file that is not UTF-8 text."""
    hint = " It looks like UTF-16: convert it first." if content.startswith(_OTHER_UNICODE) else ""
    return WorkspaceFileError(f"{path!r} is not UTF-8 text.{hint}", path=path, reason=WorkspaceFault.NOT_TEXT)


def _check_range(wanted: LineRange, path: str) -> None:
    if wanted.start < 1 or (wanted.end is not None and wanted.end < wanted.start):
        raise _no_such_lines(path, "'start' must be at least 1, and 'end' at least 'start'.")


def _scan_lines(
    file: BufferedReader, start: int, max_bytes: int, interruption: Interruption
) -> tuple[int | None, int | None]:
    """Finds where a line begins, in bytes, and how many lines there are; None for what lies beyond `max_bytes`."""
    offset = 0 if start == 1 else None
    scanned = lines = 0
    last = b"\n"
    while scanned < max_bytes and (block := file.read(_BLOCK_BYTES)):
        interruption.check()
        ends = block.count(b"\n")
        if offset is None and lines + ends >= start - 1:
            offset = scanned + len(block) - len(block.split(b"\n", start - 1 - lines)[-1])
        lines, scanned, last = lines + ends, scanned + len(block), block[-1:]
    is_whole = not file.peek(1)
    return offset, lines + (last != b"\n") if is_whole else None


def _whole_lines(content: bytes, count: int | None, max_bytes: int) -> tuple[bytes, bool]:
    """Keeps so many lines of what was read, or those that fit; and tells whether even the first had to be cut."""
    if count is not None and content.count(b"\n") >= count:
        content = content[: len(content) - len(content.split(b"\n", count)[-1])]
    if len(content) <= max_bytes:
        return content, False
    fitting = content[: content.rfind(b"\n", 0, max_bytes) + 1]
    return fitting or content[:max_bytes], not fitting


def _decoded(content: bytes, path: str, *, is_cut: bool) -> str:
    try:
        # A character that was cut in two is left out.
        return codecs.getincrementaldecoder("utf-8")().decode(content, not is_cut)
    except UnicodeDecodeError as exc:
        raise not_text(path, content) from exc


def _count_lines(content: bytes) -> int:
    return content.count(b"\n") + (not content.endswith(b"\n") and content != b"")


def _extent(total_lines: int | None, limits: WorkspaceLimits) -> str:
    if total_lines is None:
        return f"They lie beyond its first {limits.scanned_bytes} bytes."
    return "It is empty." if total_lines == 0 else f"Its last line is {total_lines}."


def _no_such_lines(path: str, sentence: str) -> WorkspaceFileError:
    return WorkspaceFileError(
        f"There are no such lines in {path!r}. {sentence}", path=path, reason=WorkspaceFault.INVALID_RANGE
    )
