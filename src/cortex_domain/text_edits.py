"""Replaces a passage of a text by another, or says why that is not clear."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from cortex_domain.errors import WorkspaceFault, WorkspaceFileError

_LINE_END: Final = re.compile(r"\r?\n")
_COMPARED_LINES: Final = 2000
_COMPARED_CHARACTERS: Final = 200
_NAMED_LINES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEdit:
    """A text in which something was replaced.

    Attributes:
        text: The whole new text.
        lines: Numbers of the lines in which the new passages begin, the first line being 1.
    """

    text: str
    lines: tuple[int, ...]


def replace_passage(text: str, old_text: str, new_text: str, /, *, path: str, replace_all: bool) -> TextEdit:
    r"""Replaces the one place where `old_text` occurs.

    A line end matches a line end, be it `\n` or `\r\n`, and a new one is of the kind that the replaced passage has, or
    else most of the text.

    Args:
        text: The text.
        old_text: What is replaced; everything but line ends must be the same to the character.
        new_text: What takes its place.
        path: Where the text is from, for messages.
        replace_all: Whether to replace all places instead.

    Raises:
        WorkspaceFileError: The passage is empty, nowhere, in several places, or the same as the new one.
    """
    if not old_text or old_text == new_text:
        raise _nothing_to_change(path)
    places = list(_passage_pattern(old_text).finditer(text))
    if not places:
        raise _not_found(text, old_text, path)
    if len(places) > 1 and not replace_all:
        raise _not_unique([_line_number(text, place.start()) for place in places], path)
    return _replaced(text, places, new_text)


def _passage_pattern(passage: str) -> re.Pattern[str]:
    return re.compile(r"\r?\n".join(map(re.escape, _LINE_END.split(passage))))


def _replaced(text: str, places: Sequence[re.Match[str]], new_text: str) -> TextEdit:
    usual_end = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    pieces: list[str] = []
    lines: list[int] = []
    written_lines, position = 1, 0
    for place in places:
        kept = text[position : place.start()]
        ends = _LINE_END.search(place.group())
        new = _LINE_END.sub(ends.group() if ends else usual_end, new_text)
        written_lines += kept.count("\n")
        lines.append(written_lines)
        written_lines += new.count("\n")
        pieces += (kept, new)
        position = place.end()
    return TextEdit(text="".join(pieces) + text[position:], lines=tuple(lines))


def _line_number(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _nothing_to_change(path: str) -> WorkspaceFileError:
    return WorkspaceFileError(
        "old_text is empty or the same as new_text. Copy from the file what shall be replaced.",
        path=path,
        reason=WorkspaceFault.NOTHING_TO_CHANGE,
    )


def _not_unique(lines: Sequence[int], path: str) -> WorkspaceFileError:
    named = ", ".join(map(str, lines[:_NAMED_LINES])) + (", …" if len(lines) > _NAMED_LINES else "")
    return WorkspaceFileError(
        f"old_text begins in {len(lines)} places of {path!r}: lines {named}. Add lines around it until it is in one "
        "place only, or set replace_all.",
        path=path,
        reason=WorkspaceFault.TEXT_NOT_UNIQUE,
        lines=lines,
    )


def _not_found(text: str, old_text: str, path: str) -> WorkspaceFileError:
    line, shown = _nearest_line(text, old_text)
    hint = f" The nearest is line {line}: {shown!r}." if line else ""
    return WorkspaceFileError(
        f"old_text is not in {path!r}.{hint} Read the file and copy the passage exactly, spaces included.",
        path=path,
        reason=WorkspaceFault.TEXT_NOT_FOUND,
        lines=(line,) if line else (),
    )


def _nearest_line(text: str, old_text: str) -> tuple[int, str]:
    """Finds the line that looks most like the first line of a passage that says something; 0 when none does."""
    wanted = next((line.strip() for line in old_text.splitlines() if line.strip()), "")[:_COMPARED_CHARACTERS]
    # Cut before comparing: the likeness of two texts takes time in proportion to the product of their lengths.
    lines = [line[:_COMPARED_CHARACTERS] for line in _LINE_END.split(text)[:_COMPARED_LINES]]
    stripped = [line.strip() for line in lines]
    found = get_close_matches(wanted, stripped, n=1) if wanted else []
    if not found:
        return 0, ""
    index = stripped.index(found[0])
    return index + 1, lines[index]
