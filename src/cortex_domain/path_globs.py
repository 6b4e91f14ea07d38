"""Which files a glob means: `*.py`, `src/**/test_*.py`, `*.{md,txt}`."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from cortex_domain.errors import WorkspaceFault, WorkspaceFileError

_ANY_DEPTH: Final = "**"
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_MAX_CHARACTERS: Final = 1000
_MAX_ALTERNATIVES: Final = 64


@dataclass(frozen=True, slots=True)
class PathGlob:
    """A parsed glob.

    Attributes:
        alternatives: What its braces stand for, each a sequence of patterns of single names; `**` is any number of
            directories.
    """

    alternatives: tuple[tuple[str, ...], ...]

    def matches(self, parts: Sequence[str], /) -> bool:
        """Tells whether it means the path with these names. Takes time in proportion to glob times path."""
        return any(_matches(segments, parts) for segments in self.alternatives)


def parse_glob(glob: str, /) -> PathGlob:
    """Reads a glob: `*` and `?` stay within a name, `**` crosses directories, `[…]` and `{a,b}` give alternatives.

    Without a `/` it means names in any directory.

    Raises:
        WorkspaceFileError: It is too long or has too many alternatives.
    """
    if len(glob) > _MAX_CHARACTERS:
        raise _refused(glob)
    expanded = tuple(itertools.islice(_expanded(glob), _MAX_ALTERNATIVES + 1))
    if len(expanded) > _MAX_ALTERNATIVES:
        raise _refused(glob)
    return PathGlob(tuple(map(_segments, expanded)))


def _expanded(glob: str) -> Iterator[str]:
    """Yields the globs without braces that a glob stands for; a brace without its other half is a character."""
    innermost = _BRACES.search(glob)
    if innermost is None:
        yield glob
        return
    for choice in innermost.group(1).split(","):
        yield from _expanded(glob[: innermost.start()] + choice + glob[innermost.end() :])


def _segments(glob: str) -> tuple[str, ...]:
    segments = tuple(segment for segment in glob.split("/") if segment not in ("", "."))
    return segments if "/" in glob else (_ANY_DEPTH, *segments)


def _matches(segments: Sequence[str], parts: Sequence[str]) -> bool:
    """Follows all ways through the segments at once, as a finite automaton does."""
    places = _with_skipped({0}, segments)
    for part in parts:
        places = _with_skipped({_next(place, segments) for place in places if _takes(place, segments, part)}, segments)
    return len(segments) in places


def _takes(place: int, segments: Sequence[str], part: str) -> bool:
    return place < len(segments) and (segments[place] == _ANY_DEPTH or fnmatchcase(part, segments[place]))


def _next(place: int, segments: Sequence[str]) -> int:
    return place if segments[place] == _ANY_DEPTH else place + 1


def _with_skipped(places: set[int], segments: Sequence[str]) -> set[int]:
    """Adds the places that are reached by letting `**` stand for no directory."""
    reached = set(places)
    for place, segment in enumerate(segments):
        if place in reached and segment == _ANY_DEPTH:
            reached.add(place + 1)
    return reached


def _refused(glob: str) -> WorkspaceFileError:
    return WorkspaceFileError(
        f"The glob {glob[:80]!r} is too long, or its braces give more than {_MAX_ALTERNATIVES} alternatives.",
        path="",
        reason=WorkspaceFault.INVALID_PATTERN,
    )
