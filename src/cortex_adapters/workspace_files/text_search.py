"""Finds lines by regular expressions that no pattern can make slow: RE2 takes time in proportion to the text."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import re2

from cortex_domain.errors import WorkspaceFault, WorkspaceFileError

_BY_LINES: Final = "(?m)"
_WINDOW_BYTES: Final = 1 << 16
_MAX_PATTERN_CHARACTERS: Final = 1_000
_MAX_PATTERN_MEMORY_BYTES: Final = 4 << 20
_MAX_PROGRAM: Final = 5_000
"""Instructions; RE2 may take each of them for each byte, and cannot be interrupted within a window."""

_SHARE_BEFORE: Final = 4
"""The part of a long line that is shown begins a quarter of its length before the match."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line that matches.

    Attributes:
        number: From 1.
        text: The line without its end, or a part of it.
    """

    number: int
    text: str


class LinePattern:
    """A compiled regular expression that is looked for in single lines.

    Args:
        pattern: In RE2's syntax.

    Raises:
        WorkspaceFileError: It is none, or would take too much to search for.
    """

    def __init__(self, pattern: str) -> None:
        if len(pattern) > _MAX_PATTERN_CHARACTERS:
            raise _refused(f"it has more than {_MAX_PATTERN_CHARACTERS} characters")
        self._regexp = _compiled(pattern)
        if self._regexp.programsize > _MAX_PROGRAM:
            raise _refused("it repeats too much; use smaller counts")

    def find(self, content: bytes, /, *, line_characters: int, check: Callable[[], None]) -> Iterator[FoundLine]:
        """Yields the lines of a UTF-8 text that match, each once; a line beyond 64 KiB is searched in pieces.

        Args:
            content: The text.
            line_characters: Longest part of a line that is shown.
            check: Called every 64 KiB; raises to end the search.
        """
        content = content.replace(b"\r\n", b"\n")  # so that `$` is where people see the end of a line
        number, counted = 1, 0
        for begin, end in _windows(content):
            check()
            position = begin
            while position <= end and (match := self._regexp.search(content, position, end)):
                number += content.count(b"\n", counted, match.start())
                counted = match.start()
                line_end = _line_end(content, match.start())
                yield FoundLine(number, _shown(content, match.start(), line_end, line_characters))
                position = line_end + 1


def _windows(content: bytes) -> Iterator[tuple[int, int]]:
    """Cuts a text at line ends into what is searched at once; the line end between two windows is in neither."""
    begin = 0
    while begin < len(content):
        end = content.rfind(b"\n", begin, begin + _WINDOW_BYTES)
        if end < begin or len(content) <= begin + _WINDOW_BYTES:
            end = min(begin + _WINDOW_BYTES, len(content) - content.endswith(b"\n"))
        yield begin, end
        begin = end + (content[end : end + 1] == b"\n")


def _line_end(content: bytes, position: int) -> int:
    end = content.find(b"\n", position)
    return len(content) if end < 0 else end


def _shown(content: bytes, position: int, line_end: int, line_characters: int) -> str:
    line_begin = content.rfind(b"\n", 0, position) + 1
    line = content[line_begin:line_end]
    if len(line) <= line_characters:
        return line.decode(errors="ignore")
    begin = max(0, position - line_begin - line_characters // _SHARE_BEFORE)
    # A character is at most four bytes; those that were cut in two at either end are left out.
    return line[begin : begin + 4 * line_characters].decode(errors="ignore")[:line_characters]


def _compiled(pattern: str) -> Any:  # noqa: ANN401 - the library has no types
    options = re2.Options()
    options.log_errors = False
    options.never_nl = True
    options.never_capture = True
    options.max_mem = _MAX_PATTERN_MEMORY_BYTES
    try:
        return re2.compile(_BY_LINES + pattern, options)
    except re2.error as exc:
        raise _refused(_reason(exc).replace(_BY_LINES, "")) from exc
    finally:
        re2.purge()  # patterns of strangers are not kept


def _reason(error: Exception) -> str:
    (reason,) = error.args or ("it cannot be read",)
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def _refused(reason: str) -> WorkspaceFileError:
    return WorkspaceFileError(
        f"The pattern cannot be searched for: {reason}. Use RE2's syntax, which has neither lookaround nor "
        "backreferences, and a backslash before a character that stands for itself.",
        path="",
        reason=WorkspaceFault.INVALID_PATTERN,
    )
