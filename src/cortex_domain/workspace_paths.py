"""Paths inside a workspace: text from a model on one side, names of directory entries on the other.

What comes out is a sequence of single names. None of them is `..` or holds a `/`, so whoever opens them one after the
other, each in the directory before it and without following links, never leaves the workspace.
"""

import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from cortex_domain.errors import WorkspaceFault, WorkspaceFileError

MAX_PATH_CHARACTERS: Final = 4096
MAX_PATH_PARTS: Final = 32

_UNSPEAKABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories of control characters, halves of surrogate pairs, and separators of lines and paragraphs."""

_VERSION_CONTROL: Final = frozenset({".git", ".hg", ".svn", ".jj", ".bzr"})
_NEAREST: Final = 3
_LIKENESS: Final = 0.7


def directory_parts(path: str, /) -> tuple[str, ...]:
    """Splits the path of a directory into names; `.`, double and trailing slashes mean nothing.

    Args:
        path: Relative to the workspace; empty or `.` is the workspace itself.

    Raises:
        WorkspaceFileError: It leads out of the workspace, or cannot name anything in it.
    """
    if path.startswith("/"):
        inside = path.strip("/") or "."
        raise _refused(path, WorkspaceFault.OUTSIDE, f"Paths begin in the workspace: write {inside!r} instead.")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts or parts[:1] == ("~",):
        raise _refused(path, WorkspaceFault.OUTSIDE, "Name something in it, without '..' and '~'.")
    if len(path) > MAX_PATH_CHARACTERS or len(parts) > MAX_PATH_PARTS:
        raise _refused(path, WorkspaceFault.INVALID_PATH, f"A path has at most {MAX_PATH_PARTS} parts.")
    if not all(map(is_speakable, parts)):
        raise _refused(
            path, WorkspaceFault.INVALID_PATH, "Separate its parts by '/'; names have no control characters or '\\'."
        )
    return parts


def file_parts(path: str, /) -> tuple[str, ...]:
    """Splits the path of a file into names.

    Raises:
        WorkspaceFileError: As for a directory; or it can only be a directory.
    """
    parts = directory_parts(path)
    if not parts or path.endswith(("/", "/.")):
        raise _refused(path, WorkspaceFault.IS_DIRECTORY, "Name a file.")
    return parts


def writable_parts(path: str, /) -> tuple[str, ...]:
    """Splits the path of a file that is to be written into names.

    Raises:
        WorkspaceFileError: As for a file; or it belongs to a version control system, whose hooks and settings would run
            commands when a person uses it next.
    """
    parts = file_parts(path)
    if any(_folded(part) in _VERSION_CONTROL for part in parts):
        raise _refused(path, WorkspaceFault.PROTECTED, "What version control keeps is read, never written.")
    return parts


def is_speakable(name: str, /) -> bool:
    r"""Tells whether a directory entry can be asked for: no control characters, no `\`, and UTF-8 on the disk."""
    return "\\" not in name and not any(unicodedata.category(character) in _UNSPEAKABLE for character in name)


def is_hidden(name: str, /) -> bool:
    """Tells whether listings and searches pass over a directory entry unless it is named."""
    return name.startswith(".")


def nearest_paths(path: str, known: Sequence[str], /) -> tuple[str, ...]:
    """Finds up to three paths that may be meant: those with the same name elsewhere, then those that look alike."""
    name = _folded(path.rpartition("/")[2])
    same_name = [other for other in known if _folded(other.rpartition("/")[2]) == name]
    alike = get_close_matches(path, known, n=_NEAREST, cutoff=_LIKENESS)
    return tuple(dict.fromkeys(same_name + alike))[:_NEAREST]


def _folded(name: str) -> str:
    """Writes a name as a file system might that takes letters of either case, or of any Unicode form, for the same."""
    shown = "".join(character for character in name if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFKC", shown).casefold()


def _refused(path: str, fault: WorkspaceFault, advice: str) -> WorkspaceFileError:
    says = {
        WorkspaceFault.OUTSIDE: "leads out of the workspace",
        WorkspaceFault.INVALID_PATH: "cannot name anything in the workspace",
        WorkspaceFault.IS_DIRECTORY: "is a directory",
        WorkspaceFault.PROTECTED: "is protected",
    }
    shown = path if len(path) <= 200 else f"{path[:200]}…"
    return WorkspaceFileError(f"{shown!r} {says[fault]}. {advice}", path=path, reason=fault)
