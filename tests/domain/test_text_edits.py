"""Passages are replaced where they are, and refusals say where they nearly are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import WorkspaceFault, WorkspaceFileError
from cortex_domain.text_edits import TextEdit, replace_passage


def _edit(text: str, old_text: str, new_text: str, *, replace_all: bool = False) -> TextEdit:
    return replace_passage(text, old_text, new_text, path="a.txt", replace_all=replace_all)


def _refusal(text: str, old_text: str, new_text: str = "new") -> WorkspaceFileError:
    with pytest.raises(WorkspaceFileError) as caught:
        _edit(text, old_text, new_text)
    return caught.value


def test_replaces_the_passage_and_nothing_else() -> None:
    assert _edit("a.c abc", "a.c", r"\1") == TextEdit(text=r"\1 abc", lines=(1,))


def test_replaces_all_places_and_counts_the_new_lines() -> None:
    assert _edit("x\nx\n", "x", "a\nb", replace_all=True) == TextEdit(text="a\nb\na\nb\n", lines=(1, 3))


@pytest.mark.parametrize(
    ("text", "old_text", "new_text", "expected"),
    [
        ("a\r\nb\r\n", "a\nb", "x\ny", "x\r\ny\r\n"),
        ("a\r\nb\r\n", "b", "b\nc", "a\r\nb\r\nc\r\n"),
        ("a\nb\r\n", "a\nb", "x\ny", "x\ny\r\n"),
        ("a\nb\n", "a\r\nb", "x\r\ny", "x\ny\n"),
        ("one line", "line", "a\nb", "one a\nb"),
        ("\ufeffa\n", "a", "b", "\ufeffb\n"),
    ],
)
def test_line_ends_stay_what_they_are(text: str, old_text: str, new_text: str, expected: str) -> None:
    assert _edit(text, old_text, new_text).text == expected


def test_several_places_are_named() -> None:
    error = _refusal("x\n" * 30, "x")
    assert error.reason is WorkspaceFault.TEXT_NOT_UNIQUE
    assert error.lines == tuple(range(1, 31))
    assert "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …." in error.message


def test_the_nearest_line_is_named() -> None:
    error = _refusal("def f():\n    return total\n", "\n  return  totals\n  more")
    assert (error.reason, error.lines) == (WorkspaceFault.TEXT_NOT_FOUND, (2,))
    assert "line 2: '    return total'" in error.message


@pytest.mark.parametrize("old_text", ["0123456789", "\n\n \n"])
def test_no_line_is_named_where_none_is_near(old_text: str) -> None:
    error = _refusal("abc\ndef\n", old_text)
    assert (error.reason, error.lines) == (WorkspaceFault.TEXT_NOT_FOUND, ())


@pytest.mark.parametrize(("old_text", "new_text"), [("", "new"), ("same", "same")])
def test_an_edit_that_changes_nothing_is_refused(old_text: str, new_text: str) -> None:
    assert _refusal("same", old_text, new_text).reason is WorkspaceFault.NOTHING_TO_CHANGE


@given(st.text(alphabet="ab\n", max_size=12), st.text(alphabet="ab\n", min_size=1, max_size=3))
def test_replaces_as_python_does(text: str, old_text: str) -> None:
    if old_text in text:
        edit = _edit(text, old_text, "Z", replace_all=True)
        assert edit.text == text.replace(old_text, "Z")
        assert all("Z" in edit.text.split("\n")[line - 1] for line in edit.lines)
    else:
        assert _refusal(text, old_text).reason is WorkspaceFault.TEXT_NOT_FOUND
