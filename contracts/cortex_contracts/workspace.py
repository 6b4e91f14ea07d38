"""The contract of `cortex_domain.ports.Workspace`, as far as it needs no links, pipes and the like."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cortex_contracts.checks import checks
from cortex_domain.errors import WorkspaceFault, WorkspaceFileError
from cortex_domain.ports import Workspace
from cortex_domain.workspace_files import EntryKind, FileMatch, FileSearch, WorkspaceEntry

ValueT = TypeVar("ValueT")

OUTSIDE: Final = (
    "..",
    "../outside.txt",
    "a/../../outside.txt",
    "a/..",
    "./..",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/root/etc/passwd",
    "~",
    "~/outside.txt",
)
"""Paths that lead out, or might in some program."""

UNSPEAKABLE: Final = (
    "a\0b",
    "a\nb",
    "a\x7fb",
    "..\\outside.txt",
    "C:\\outside.txt",
    "\ud800",
    "a\u2028b",
    "x" * 10_000,
    "x/" * 100 + "x",
)
"""Paths that nothing can have."""

VERSION_CONTROL: Final = (".git/config", "a/.GIT/hooks/x", ".g\u200cit/config", ".hg/hgrc", "\uff0egit/config")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceHarness:
    """What the contract needs.

    Attributes:
        workspace: The adapter under test, with nothing in it. Its `limits` are low, so that they can be reached: at
            most 100 entries and matches, 10,000 bytes of a file, and at least 3 of each, 4 levels, 100 bytes of a
            passage and 20 characters of a line.
        place: Puts a file there, and the directories that it needs, with any bytes and by other means.
        histories: How many sequences of calls are tried out.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    workspace: Workspace
    place: Callable[[str, bytes], None]
    histories: int = 20
    patience_s: float = 60.0


@pytest.mark.asyncio
class WorkspaceContract:
    """Subclass this and define a fixture `harness` that returns a `WorkspaceHarness`."""

    @checks("workspace.reads_what_was_written")
    async def test_reads_what_was_written(self, harness: WorkspaceHarness) -> None:
        """Writes texts of all sorts, and reads them whole."""
        for content in (
            "",
            "one line",
            "two\nlines\n",
            "\n\n",
            "grün 日本 🙂\n",
            "\r\nmixed\rends\n",
            "tab\tand\x0bmore",
        ):
            written = await harness.workspace.write_file("text.txt", content)
            assert (written.path, written.size_bytes) == ("text.txt", len(content.encode()))
            passage = await harness.workspace.read_file("text.txt")
            assert (passage.text, passage.has_more, passage.is_cut) == (content, False, False)
            assert passage.total_lines == passage.end == content.count("\n") + (content[-1:] not in ("", "\n"))

    @checks("workspace.is_where_its_root_is")
    async def test_is_where_its_root_is(self, harness: WorkspaceHarness) -> None:
        """Looks for what was written below the root, if there is one on this machine."""
        await harness.workspace.write_file("directory/file.txt", "text")
        root = harness.workspace.root
        if root is not None:
            assert await asyncio.to_thread(Path(root, "directory/file.txt").read_bytes) == b"text"

    @checks("workspace.reads_lines")
    async def test_reads_lines(self, harness: WorkspaceHarness) -> None:
        """Reads parts of a file, its first and last lines among them."""
        harness.place("lines.txt", b"1\n2\n3\n4\n5")
        for start, end, text in (
            (1, 1, "1\n"),
            (2, 4, "2\n3\n4\n"),
            (5, 5, "5"),
            (4, 99, "4\n5"),
            (3, None, "3\n4\n5"),
        ):
            passage = await harness.workspace.read_file("lines.txt", start=start, end=end)
            assert (passage.path, passage.text) == ("lines.txt", text)
            last = min(end or 5, 5)
            assert (passage.start, passage.end, passage.total_lines) == (start, last, 5)
            assert passage.has_more == (last < 5)

    @checks("workspace.refuses_lines_that_are_not_there")
    async def test_refuses_lines_that_are_not_there(self, harness: WorkspaceHarness) -> None:
        """Asks for lines before the first, after the last, and the wrong way round."""
        harness.place("lines.txt", b"1\n2\n")
        for start, end in ((0, None), (-1, 2), (3, None), (3, 3), (2, 1)):
            async with _refused(WorkspaceFault.INVALID_RANGE):
                await harness.workspace.read_file("lines.txt", start=start, end=end)

    @checks("workspace.passages_are_bounded")
    async def test_passages_are_bounded(self, harness: WorkspaceHarness) -> None:
        """Reads a file of many lines, and one with a long line that has a character at the bound."""
        most = harness.workspace.limits.read_bytes
        harness.place("many.txt", b"line\n" * most)
        passage = await harness.workspace.read_file("many.txt")
        assert 0 < len(passage.text.encode()) <= most
        assert passage.has_more
        assert passage.text == "line\n" * passage.end
        harness.place("long.txt", b"x" * (most - 1) + "ü\n".encode())
        passage = await harness.workspace.read_file("long.txt")
        assert (passage.text, passage.is_cut, passage.has_more, passage.end) == ("x" * (most - 1), True, True, 1)

    @checks("workspace.tells_whether_new")
    async def test_tells_whether_new(self, harness: WorkspaceHarness) -> None:
        """Writes a file twice, the second time less."""
        first = await harness.workspace.write_file("again.txt", "much\n" * 10)
        second = await harness.workspace.write_file("again.txt", "less")
        assert (first.is_new, second.is_new) == (True, False)
        assert (await harness.workspace.read_file("again.txt")).text == "less"

    @checks("workspace.creates_directories")
    async def test_creates_directories(self, harness: WorkspaceHarness) -> None:
        """Writes where there is no directory yet, with slashes and dots that mean nothing."""
        written = await harness.workspace.write_file("./one//two/./three/file.txt", "text")
        assert written.path == "one/two/three/file.txt"
        assert (await harness.workspace.read_file("one/two/three/file.txt")).text == "text"

    @checks("workspace.refuses_to_leave")
    async def test_refuses_to_leave(self, harness: WorkspaceHarness) -> None:
        """Tries every operation on paths that lead out."""
        harness.place("a/inside.txt", b"inside")
        for path in OUTSIDE:
            for attempt in _attempts(harness.workspace, path):
                async with _refused(WorkspaceFault.OUTSIDE):
                    await attempt()

    @checks("workspace.refuses_names_that_nothing_can_have")
    async def test_refuses_names_that_nothing_can_have(self, harness: WorkspaceHarness) -> None:
        """Tries every operation on paths with control characters, backslashes and too much."""
        for path in UNSPEAKABLE:
            for attempt in _attempts(harness.workspace, path):
                async with _refused(WorkspaceFault.INVALID_PATH):
                    await attempt()

    @checks("workspace.names_what_may_be_meant")
    async def test_names_what_may_be_meant(self, harness: WorkspaceHarness) -> None:
        """Asks for a file in the wrong directory, one with a typing mistake, and one like no other."""
        harness.place("notes/report.md", b"x")
        for wrong in ("report.md", "notes/reprot.md"):
            async with _refused(WorkspaceFault.NOT_FOUND, nearest=("notes/report.md",)):
                await harness.workspace.read_file(wrong)
        async with _refused(WorkspaceFault.NOT_FOUND):
            await harness.workspace.read_file("0000000000.bin")
        async with _refused(WorkspaceFault.NOT_FOUND):
            await harness.workspace.list_files("missing")
        async with _refused(WorkspaceFault.NOT_FOUND):
            await harness.workspace.edit_file("missing.txt", old_text="a", new_text="b")

    @checks("workspace.tells_files_from_directories")
    async def test_tells_files_from_directories(self, harness: WorkspaceHarness) -> None:
        """Takes directories for files and files for directories."""
        workspace = harness.workspace
        harness.place("directory/file", b"x")
        for path in ("directory", "directory/", ".", ""):
            async with _refused(WorkspaceFault.IS_DIRECTORY):
                await workspace.read_file(path)
            async with _refused(WorkspaceFault.IS_DIRECTORY):
                await workspace.write_file(path, "text")
        for path in ("directory/file", "directory/file/below"):
            async with _refused(WorkspaceFault.NOT_A_DIRECTORY):
                await workspace.list_files(path)
        async with _refused(WorkspaceFault.NOT_A_DIRECTORY):
            await workspace.write_file("directory/file/below", "text")

    @checks("workspace.garbles_nothing")
    async def test_garbles_nothing(self, harness: WorkspaceHarness) -> None:
        """Reads and edits what is not UTF-8 text, and writes what no file can hold."""
        for content in (b"\x89PNG\r\n\x1a\n\0\0", "grün".encode("latin-1"), "text".encode("utf-16")):
            harness.place("binary", content)
            async with _refused(WorkspaceFault.NOT_TEXT):
                await harness.workspace.read_file("binary")
            async with _refused(WorkspaceFault.NOT_TEXT):
                await harness.workspace.edit_file("binary", old_text="t", new_text="x")
        async with _refused(WorkspaceFault.NOT_TEXT):
            await harness.workspace.write_file("half.txt", "half of a pair: \ud83d")

    @checks("workspace.writes_are_bounded")
    async def test_writes_are_bounded(self, harness: WorkspaceHarness) -> None:
        """Writes as much as may be, more, and makes a file too large by editing; what was there stays."""
        most = harness.workspace.limits.file_bytes
        full = "a" + "b" * (most - 1)
        await harness.workspace.write_file("full.txt", full)
        async with _refused(WorkspaceFault.TOO_LARGE):
            await harness.workspace.write_file("full.txt", "b" * (most + 1))
        async with _refused(WorkspaceFault.TOO_LARGE):
            await harness.workspace.edit_file("full.txt", old_text="a", new_text="aa")
        assert (await harness.workspace.list_files()).entries[0].size_bytes == most
        assert (await harness.workspace.read_file("full.txt")).text[:2] == full[:2]

    @checks("workspace.spares_version_control")
    async def test_spares_version_control(self, harness: WorkspaceHarness) -> None:
        """Writes and edits what would run commands later, in spellings that some file systems take for the same."""
        for path in VERSION_CONTROL:
            async with _refused(WorkspaceFault.PROTECTED):
                await harness.workspace.write_file(path, "[core]")
            async with _refused(WorkspaceFault.PROTECTED):
                await harness.workspace.edit_file(path, old_text="a", new_text="b")
        await harness.workspace.write_file(".gitignore", "*.pyc\n")

    @checks("workspace.tells_where_it_edited")
    async def test_tells_where_it_edited(self, harness: WorkspaceHarness) -> None:
        """Replaces a passage of several lines, and all places of a word."""
        harness.place("text.txt", b"one\ntwo\nthree\ntwo\n")
        edited = await harness.workspace.edit_file("text.txt", old_text="two\nthree", new_text="2\n3")
        assert (edited.path, edited.size_bytes, edited.lines) == ("text.txt", 12, (2,))
        assert (await harness.workspace.read_file("text.txt")).text == "one\n2\n3\ntwo\n"
        harness.place("text.txt", b"two\n\ntwo two")
        edited = await harness.workspace.edit_file("text.txt", old_text="two", new_text="1\n1", replace_all=True)
        assert edited.lines == (1, 4, 5)
        assert (await harness.workspace.read_file("text.txt")).text == "1\n1\n\n1\n1 1\n1"

    @checks("workspace.refuses_unclear_edits")
    async def test_refuses_unclear_edits(self, harness: WorkspaceHarness) -> None:
        """Replaces what is nowhere, in several places, empty or the same; nothing changes."""
        harness.place("text.txt", b"same\n  nearly so\nsame\n")
        for old_text, new_text, fault, lines in (
            ("same", "other", WorkspaceFault.TEXT_NOT_UNIQUE, (1, 3)),
            ("nearly  so", "other", WorkspaceFault.TEXT_NOT_FOUND, (2,)),
            ("0123456789", "other", WorkspaceFault.TEXT_NOT_FOUND, ()),
            ("\n\n", "other", WorkspaceFault.TEXT_NOT_FOUND, ()),
            ("", "other", WorkspaceFault.NOTHING_TO_CHANGE, ()),
            ("nearly", "nearly", WorkspaceFault.NOTHING_TO_CHANGE, ()),
        ):
            async with _refused(fault, lines=lines):
                await harness.workspace.edit_file("text.txt", old_text=old_text, new_text=new_text)
        assert (await harness.workspace.read_file("text.txt")).text == "same\n  nearly so\nsame\n"

    @checks("workspace.edits_keep_line_ends")
    async def test_edits_keep_line_ends(self, harness: WorkspaceHarness) -> None:
        r"""Edits files that end their lines by `\r\n`, or by both, in the words of a model that knows `\n` alone."""
        for before, old_text, new_text, after in (
            (b"a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\nz\n", "x\r\ny\r\nz\r\nc\r\n"),
            (b"a\r\nb\r\n", "b", "b\nc", "a\r\nb\r\nc\r\n"),
            (b"a\nb\r\nc\n", "b\nc", "d\ne", "a\nd\r\ne\n"),
            (b"a\nb\n", "b\r\n", "c\r\nd\r\n", "a\nc\nd\n"),
        ):
            harness.place("ends.txt", before)
            await harness.workspace.edit_file("ends.txt", old_text=old_text, new_text=new_text)
            assert (await harness.workspace.read_file("ends.txt")).text == after

    @checks("workspace.lists_by_name")
    async def test_lists_by_name(self, harness: WorkspaceHarness) -> None:
        """Lists a directory alone, with what is below, and an empty workspace."""
        empty = await harness.workspace.list_files()
        assert (empty.path, empty.entries, empty.is_complete) == (".", (), True)
        for path in ("b/c/d.txt", "b/a.txt", "c.txt", "B.txt"):
            harness.place(path, b"four")
        top = [_file("B.txt"), _directory("b"), _file("c.txt")]
        below = [_file("b/a.txt"), _directory("b/c")]
        for path, depth, entries in (
            (".", 1, top),
            ("", 2, [*top[:2], *below, top[2]]),
            (".", 3, [*top[:2], *below, _file("b/c/d.txt"), top[2]]),
            ("b/", 1, below),
        ):
            listing = await harness.workspace.list_files(path, depth=depth)
            assert (list(listing.entries), listing.is_complete) == (entries, True)

    @checks("workspace.listings_are_bounded")
    async def test_listings_are_bounded(self, harness: WorkspaceHarness) -> None:
        """Lists more entries, and deeper, than may be."""
        limits = harness.workspace.limits
        names = [f"many/{number:03}" for number in range(limits.entries + 1)]
        for name in names[:-1]:
            harness.place(name, b"")
        assert (await harness.workspace.list_files("many")).is_complete
        harness.place(names[-1], b"")
        listing = await harness.workspace.list_files("many")
        assert [entry.path for entry in listing.entries] == names[:-1]
        assert not listing.is_complete
        harness.place("deep/" * limits.depth + "x/file.txt", b"")
        deep = await harness.workspace.list_files("deep", depth=1000)
        assert len(deep.entries) <= limits.depth
        assert not deep.is_complete

    @checks("workspace.passes_over_hidden_entries")
    async def test_passes_over_hidden_entries(self, harness: WorkspaceHarness) -> None:
        """Lists and searches what begins with a dot, then names it."""
        for path in (".hidden/file.txt", ".settings", "shown.txt"):
            harness.place(path, b"word\n")
        listing = await harness.workspace.list_files(depth=3)
        assert [entry.path for entry in listing.entries] == ["shown.txt"]
        assert (listing.hidden, listing.is_complete) == (2, True)
        assert await _paths_with(harness.workspace, "word") == ["shown.txt"]
        assert await _paths_with(harness.workspace, "word", path=".hidden") == [".hidden/file.txt"]
        assert (await harness.workspace.read_file(".settings")).text == "word\n"

    @checks("workspace.finds_lines")
    async def test_finds_lines(self, harness: WorkspaceHarness) -> None:
        """Looks for words, ends of lines, and letters of either case, in files with either line end."""
        harness.place("a/one.txt", b"first\r\nsecond Word\r\n\r\nlast word")
        harness.place("two.txt", "wörd\nword word\n".encode())
        for pattern, expected in (
            (
                "(?i)word$",
                [("a/one.txt", 2, "second Word"), ("a/one.txt", 4, "last word"), ("two.txt", 2, "word word")],
            ),
            ("^w.rd", [("two.txt", 1, "wörd"), ("two.txt", 2, "word word")]),
            ("^$", [("a/one.txt", 3, "")]),
            (r"first\s+second", []),
            ("[^q]irst", [("a/one.txt", 1, "first")]),
        ):
            result = await harness.workspace.search_files(FileSearch(pattern=pattern))
            assert result.matches == tuple(FileMatch(path=path, line=line, text=text) for path, line, text in expected)
            assert (result.searched_files, result.is_complete) == (2, True)

    @checks("workspace.searches_where_asked")
    async def test_searches_where_asked(self, harness: WorkspaceHarness) -> None:
        """Searches one file, one directory, and what globs mean."""
        for path in ("a/b/deep.py", "a/one.py", "a/one.md", "two.py"):
            harness.place(path, b"word\n")
        for path, glob, expected in (
            ("a", None, ["a/b/deep.py", "a/one.md", "a/one.py"]),
            ("a/one.py", None, ["a/one.py"]),
            ("a/one.py", "*.md", []),
            (".", "*.py", ["a/b/deep.py", "a/one.py", "two.py"]),
            (".", "a/*.py", ["a/one.py"]),
            (".", "a/**/*.py", ["a/b/deep.py", "a/one.py"]),
            ("a", "*.{md,txt}", ["a/one.md"]),
            ("a", "b/*", ["a/b/deep.py"]),
        ):
            assert await _paths_with(harness.workspace, "word", path=path, glob=glob) == expected
        async with _refused(WorkspaceFault.NOT_FOUND):
            await harness.workspace.search_files(FileSearch(pattern="word", path="missing"))

    @checks("workspace.searches_are_bounded")
    async def test_searches_are_bounded(self, harness: WorkspaceHarness) -> None:
        """Finds as many lines as may be, more, and a long line."""
        limits = harness.workspace.limits
        harness.place("many.txt", b"word\n" * limits.matches)
        full = await harness.workspace.search_files(FileSearch(pattern="word"))
        assert (len(full.matches), full.is_complete) == (limits.matches, True)
        harness.place("more.txt", b"word\n")
        cut = await harness.workspace.search_files(FileSearch(pattern="word"))
        assert (len(cut.matches), cut.is_complete) == (limits.matches, False)
        harness.place("long.txt", b"x" * 1000 + b"needle" + b"x" * 1000)
        (match,) = (await harness.workspace.search_files(FileSearch(pattern="needle"))).matches
        assert len(match.text) <= limits.line_characters
        assert "needle" in match.text

    @checks("workspace.searches_tell_what_they_skip")
    async def test_searches_tell_what_they_skip(self, harness: WorkspaceHarness) -> None:
        """Searches among files that are not text, or too large."""
        harness.place("binary", b"word\0")
        harness.place("latin.txt", "word grün".encode("latin-1"))
        harness.place("large.txt", b"word" * harness.workspace.limits.file_bytes)
        harness.place("small.txt", b"word")
        result = await harness.workspace.search_files(FileSearch(pattern="word"))
        assert [match.path for match in result.matches] == ["small.txt"]
        assert (result.searched_files, result.skipped_not_text, result.skipped_large) == (1, 2, 1)

    @checks("workspace.refuses_bad_patterns")
    async def test_refuses_bad_patterns(self, harness: WorkspaceHarness) -> None:
        """Looks for what is no regular expression, or cannot be searched in linear time."""
        for pattern in ("(", "[a", "a{2,1}", "*", r"(a)\1", "(?=a)", "(?<!a)b", "(a{1000}){1000}"):
            async with _refused(WorkspaceFault.INVALID_PATTERN):
                await harness.workspace.search_files(FileSearch(pattern=pattern))
        async with _refused(WorkspaceFault.INVALID_PATTERN):
            await harness.workspace.search_files(FileSearch(pattern="a", glob="{a,b}" * 20))

    @checks("workspace.no_pattern_hangs")
    async def test_no_pattern_hangs(self, harness: WorkspaceHarness) -> None:
        """Looks for what takes other engines longer than the universe is old."""
        harness.place("evil.txt", b"a" * 1000 + b"!\n")
        for pattern in ("^(a+)+$", "^(a|aa)+$", "^(a*)*b", "(.*)*(.*)*(.*)*b$"):
            result = await harness.workspace.search_files(FileSearch(pattern=pattern))
            assert result.matches == ()

    @checks("workspace.state_follows_history")
    async def test_state_follows_history(self, harness: WorkspaceHarness) -> None:
        """Writes and edits in many orders, and compares the workspace with a dict after each step."""
        loop = asyncio.get_running_loop()
        directories = map(str, itertools.count())

        def wait_for(coroutine: Coroutine[Any, Any, ValueT]) -> ValueT:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

        await asyncio.to_thread(
            run_state_machine_as_test,
            lambda: _History(harness.workspace, f"history/{next(directories)}", wait_for),  # type: ignore[arg-type]  # takes functions too
            settings=settings(
                max_examples=harness.histories,
                stateful_step_count=12,
                deadline=None,
                database=None,
                derandomize=True,
            ),
        )


class _History(RuleBasedStateMachine):
    """Runs in a thread of its own, because hypothesis is synchronous, and asks the workspace on its event loop."""

    paths = st.sampled_from(["a", "a/b", "a/b/c", "d.txt", "e/f.txt"])

    def __init__(
        self, workspace: Workspace, directory: str, wait_for: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        super().__init__()
        self._workspace = workspace
        self._directory = directory
        self._wait_for = wait_for
        self._files: dict[str, str] = {}

    @rule(path=paths, content=st.text(alphabet="xyz\n", max_size=9))
    def write(self, path: str, content: str) -> None:
        fault = self._told(self._workspace.write_file(f"{self._directory}/{path}", content))
        assert fault == self._in_the_way(path)
        if fault is None:
            self._files[path] = content

    @rule(path=paths, old_text=st.text(alphabet="xyz", min_size=1, max_size=2))
    def edit(self, path: str, old_text: str) -> None:
        edit = self._workspace.edit_file(f"{self._directory}/{path}", old_text=old_text, new_text="Z", replace_all=True)
        assert self._told(edit) == self._edit_fault(path, old_text)
        if path in self._files:
            self._files[path] = self._files[path].replace(old_text, "Z")

    @invariant()
    def files_are_what_they_were_made(self) -> None:
        for path, content in self._files.items():
            assert self._wait_for(self._workspace.read_file(f"{self._directory}/{path}")).text == content

    @invariant()
    def nothing_else_is_there(self) -> None:
        if self._files:
            listing = self._wait_for(self._workspace.list_files(self._directory, depth=4))
            files = {entry.path for entry in listing.entries if entry.kind is EntryKind.FILE}
            assert files == {f"{self._directory}/{path}" for path in self._files}

    def _told(self, call: Coroutine[Any, Any, object]) -> WorkspaceFault | None:
        try:
            self._wait_for(call)
        except WorkspaceFileError as exc:
            return exc.reason
        return None

    def _in_the_way(self, path: str) -> WorkspaceFault | None:
        if any(path.startswith(f"{file}/") for file in self._files):
            return WorkspaceFault.NOT_A_DIRECTORY
        return WorkspaceFault.IS_DIRECTORY if any(file.startswith(f"{path}/") for file in self._files) else None

    def _edit_fault(self, path: str, old_text: str) -> WorkspaceFault | None:
        if path in self._files:
            return None if old_text in self._files[path] else WorkspaceFault.TEXT_NOT_FOUND
        return self._in_the_way(path) or WorkspaceFault.NOT_FOUND


@asynccontextmanager
async def _refused(
    fault: WorkspaceFault, *, nearest: tuple[str, ...] = (), lines: tuple[int, ...] = ()
) -> AsyncIterator[None]:
    with pytest.raises(WorkspaceFileError) as caught:
        yield
    assert caught.value.reason is fault
    assert caught.value.nearest == nearest
    assert caught.value.lines == lines


def _attempts(workspace: Workspace, path: str) -> tuple[Callable[[], Awaitable[object]], ...]:
    return (
        lambda: workspace.list_files(path),
        lambda: workspace.read_file(path),
        lambda: workspace.write_file(path, "text"),
        lambda: workspace.edit_file(path, old_text="i", new_text="o"),
        lambda: workspace.search_files(FileSearch(pattern="i", path=path)),
    )


async def _paths_with(workspace: Workspace, pattern: str, *, path: str = ".", glob: str | None = None) -> list[str]:
    result = await workspace.search_files(FileSearch(pattern=pattern, path=path, glob=glob))
    return [match.path for match in result.matches]


def _file(path: str) -> WorkspaceEntry:
    return WorkspaceEntry(path=path, kind=EntryKind.FILE, size_bytes=4)


def _directory(path: str) -> WorkspaceEntry:
    return WorkspaceEntry(path=path, kind=EntryKind.DIRECTORY)
