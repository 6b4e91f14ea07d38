"""Globs mean what people expect, and none takes long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import WorkspaceFault, WorkspaceFileError
from cortex_domain.path_globs import parse_glob


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("*.py", "a.py", True),
        ("*.py", "src/deep/a.py", True),
        ("*.py", "a.pyc", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/b/a.py", False),
        ("src/*.py", "x/src/a.py", False),
        ("src/**/*.py", "src/a.py", True),
        ("src/**/*.py", "src/b/c/a.py", True),
        ("**", "a/b/c", True),
        ("**/b/**", "a/b/c", True),
        ("a/**/**/c", "a/c", True),
        ("./src/a.py", "src/a.py", True),
        ("/a.py", "a.py", True),
        ("/a.py", "b/a.py", False),
        ("?.txt", "a.txt", True),
        ("?.txt", "ab.txt", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("[", "[", True),
        ("*.{md,txt}", "a.txt", True),
        ("*.{md,txt}", "a.py", False),
        ("{a,{b,c}}.py", "c.py", True),
        ("{a", "{a", True),
        ("a}", "a}", True),
        ("A.py", "a.py", False),
        ("", "a/b", True),
    ],
)
def test_what_a_glob_means(glob: str, path: str, matches: bool) -> None:
    assert parse_glob(glob).matches(path.split("/")) == matches


@pytest.mark.parametrize("glob", ["{a,b}" * 7, "{a,b}" * 100, "x" * 1001])
def test_too_much_is_refused(glob: str) -> None:
    with pytest.raises(WorkspaceFileError) as caught:
        parse_glob(glob)
    assert caught.value.reason is WorkspaceFault.INVALID_PATTERN


def test_many_stars_take_no_time() -> None:
    assert not parse_glob("**/a/" * 30 + "b").matches(["a"] * 32)
    assert not parse_glob("*a" * 200).matches(["a" * 199])


@given(st.text(alphabet="*?[]!-{},/ab.", max_size=20), st.lists(st.text(alphabet="ab.", min_size=1), max_size=4))
def test_any_text_is_a_glob(glob: str, parts: list[str]) -> None:
    assert parse_glob(glob).matches(parts) in (True, False)
