from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import InvalidRequestError
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState, nearest_names, parse_model_id

NAME_LIKE = st.text(alphabet="aZ09_-./\\: \n\x00é~", max_size=12)


@given(NAME_LIKE | st.text())
def test_what_names_a_model_never_leaves_its_directory(text: str) -> None:
    try:
        model_id = parse_model_id(text)
    except InvalidRequestError:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind("cache") / model_id
        assert path.parts == ("cache", *model_id.split("/"))
        assert not {"..", "."} & set(path.parts)


@pytest.mark.parametrize(
    "text",
    ["mlx-community/Llama-3.2-3B-Instruct-4bit", "starter", "a", "_a/b_", "a" * 96, f"{'a' * 96}/{'b' * 96}"],
)
def test_names_of_the_hub_are_accepted(text: str) -> None:
    assert parse_model_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a/",
        "/a",
        "a/b/c",
        "..",
        "../a",
        "a/..",
        ".a",
        "a.",
        "-a",
        "a-",
        "a-/b",
        "a--b",
        "a..b",
        "a b",
        "a\n",
        "é",
        "a" * 97,
    ],
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_model_id(text)
    assert caught.value.parameter == "model"


def test_a_long_name_is_shown_in_part() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_model_id("x" * 100_000)
    assert len(caught.value.message) < 300


def test_a_model_answers_to_its_id_and_aliases() -> None:
    model = ModelDescriptor(id=ModelId("a/b"), aliases=("c",), state=ModelState.AVAILABLE)
    assert [model.answers_to(name) for name in ("a/b", "c", "b")] == [True, True, False]


def test_the_nearest_names_are_found_whatever_their_case() -> None:
    assert nearest_names("STARTER", ["other", "Starter", "started"]) == ["Starter", "started"]
    assert nearest_names("zzz", ["starter"]) == []
    assert nearest_names("zzz", ["starter"], cutoff=0) == ["starter"]
