"""Paths become names that lead nowhere else, and hostile ones are refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import WorkspaceFault, WorkspaceFileError
from cortex_domain.workspace_paths import (
    MAX_PATH_PARTS,
    directory_parts,
    file_parts,
    is_hidden,
    is_speakable,
    nearest_paths,
    writable_parts,
)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("", ()),
        (".", ()),
        ("./", ()),
        ("a", ("a",)),
        ("a/b/", ("a", "b")),
        ("./a//./b", ("a", "b")),
        ("...", ("...",)),
        ("..a/b..", ("..a", "b..")),
        ("a/~", ("a", "~")),
        ("~a", ("~a",)),
        ("-rf", ("-rf",)),
        ("$HOME/%2e%2e/*", ("$HOME", "%2e%2e", "*")),
        ("日本/🙂.txt", ("日本", "🙂.txt")),
    ],
)
def test_paths_become_names(path: str, names: tuple[str, ...]) -> None:
    assert directory_parts(path) == names


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("..", WorkspaceFault.OUTSIDE),
        ("a/..", WorkspaceFault.OUTSIDE),
        ("/a", WorkspaceFault.OUTSIDE),
        ("/", WorkspaceFault.OUTSIDE),
        ("~", WorkspaceFault.OUTSIDE),
        ("./~/a", WorkspaceFault.OUTSIDE),
        ("a\0", WorkspaceFault.INVALID_PATH),
        ("a\\b", WorkspaceFault.INVALID_PATH),
        ("a\tb", WorkspaceFault.INVALID_PATH),
        ("\udfff", WorkspaceFault.INVALID_PATH),
        ("a/" * MAX_PATH_PARTS + "a", WorkspaceFault.INVALID_PATH),
        ("a" * 4097, WorkspaceFault.INVALID_PATH),
    ],
)
def test_hostile_paths_are_refused(path: str, reason: WorkspaceFault) -> None:
    with pytest.raises(WorkspaceFileError) as caught:
        directory_parts(path)
    assert (caught.value.reason, caught.value.path) == (reason, path)
    assert len(caught.value.message) < 400


def test_an_absolute_path_is_answered_with_the_relative_one() -> None:
    with pytest.raises(WorkspaceFileError, match=r"write 'notes/a.txt' instead"):
        file_parts("/notes/a.txt")


@given(st.text(alphabet="./~ab\\\0\n", max_size=30))
def test_no_path_ever_leads_out(path: str) -> None:
    try:
        names = directory_parts(path)
    except WorkspaceFileError:
        return
    assert all(name not in ("", ".", "..") and not set(name) & set("/\\\0\n") for name in names)


@pytest.mark.parametrize("path", ["", ".", "a/", "a/."])
def test_directories_are_no_files(path: str) -> None:
    with pytest.raises(WorkspaceFileError) as caught:
        file_parts(path)
    assert caught.value.reason is WorkspaceFault.IS_DIRECTORY


@pytest.mark.parametrize(
    "path", [".git", ".git/config", "a/.Git/hooks/x", ".g\u200dit/x", "\uff0e\uff47\uff49\uff54/x", ".hg/hgrc"]
)
def test_version_control_is_not_written(path: str) -> None:
    assert file_parts(path)
    with pytest.raises(WorkspaceFileError) as caught:
        writable_parts(path)
    assert caught.value.reason is WorkspaceFault.PROTECTED


@pytest.mark.parametrize("path", [".gitignore", ".github/workflows/ci.yml", "git/config", "a.git"])
def test_what_only_looks_like_it_is_written(path: str) -> None:
    assert "/".join(writable_parts(path)) == path


def test_names_that_can_be_asked_for() -> None:
    assert all(map(is_speakable, ("a b", "Bild 10\u202f00.png", "é", "e\u0301", "👩\u200d💻", "..")))
    assert not any(map(is_speakable, ("a\nb", "a\x1b[31m", "a\\b", "\udcff", "a\u2029")))


def test_hidden_names() -> None:
    assert is_hidden(".env")
    assert not is_hidden("a.env")


def test_nearest_paths_prefer_the_same_name() -> None:
    known = ["src/main.py", "lib/MAIN.py", "mian.py", "docs/other.md"]
    assert nearest_paths("main.py", known) == ("src/main.py", "lib/MAIN.py", "mian.py")
    assert nearest_paths("cafe\u0301.txt", ["caf\u00e9.txt"]) == ("caf\u00e9.txt",)
    assert nearest_paths("zzzzzz", known) == ()
