import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import ContractViolationError
from cortex_domain.tool_execution import ToolContent, ToolImage, ToolJson, ToolText
from cortex_domain.tool_output_bounds import ToolLimits, bounded_content, shortened, valid_text

SMALL = ToolLimits(parts=3, text_bytes=10, image_bytes=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=3), inner),
    max_leaves=12,
)


def image(size_bytes: int) -> ToolImage:
    return ToolImage(data=b"i" * size_bytes, media_type="image/png")


def text(text: str) -> ToolText:
    return ToolText(text=text)


@pytest.mark.parametrize(
    ("content", "kept", "is_cut"),
    [
        ([], [], False),
        ([text("0123456789")], [text("0123456789")], False),
        ([text("0123456789a")], [text("0123456789"), text("[1 more bytes of text left out]")], True),
        ([text("12345678"), text("äö")], [text("12345678"), text("ä"), text("[2 more bytes of text left out]")], True),
        ([text("123456789"), text("äö")], [text("123456789"), text("[4 more bytes of text left out]")], True),
        ([ToolJson(value=[1, 2])], [ToolJson(value=[1, 2])], False),
        ([ToolJson(value=[1, 2, 3, 4])], [text("[1, 2, 3, "), text("[2 more bytes of text left out]")], True),
        ([image(4), text("a")], [image(4), text("a")], False),
        ([image(3), image(2)], [image(3), text("[an image of 2 bytes left out]")], True),
        ([text("a")] * 5, [text("a"), text("a"), text("a"), text("[2 more parts left out]")], True),
    ],
)
def test_what_is_over_the_limit_is_cut_and_said(
    content: list[ToolContent], kept: list[ToolContent], is_cut: bool
) -> None:
    assert bounded_content(content, SMALL) == (tuple(kept), is_cut)


def test_values_become_json_that_every_reader_takes() -> None:
    value = {"a": float("nan"), "b": (1.5, float("inf")), 3: "\ud800", "c": {"d": "\ud83d\ude00"}}
    (part,), is_cut = bounded_content([ToolJson(value=value)], ToolLimits())
    assert part == ToolJson(value={"a": None, "b": [1.5, None], "3": "\ufffd", "c": {"d": "😀"}})
    assert not is_cut


def deep(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "part",
    [
        ToolJson(value=object()),
        ToolJson(value={"a": {1, 2}}),
        ToolJson(value=deep(101)),
        ToolImage(data=b"", media_type="image/png"),
        ToolImage(data=b"x", media_type="text/html"),
    ],
)
def test_what_no_tool_may_return_is_the_providers_fault(part: ToolContent) -> None:
    with pytest.raises(ContractViolationError):
        bounded_content([part], ToolLimits())


def test_depth_up_to_the_limit_passes() -> None:
    assert bounded_content([ToolJson(value=deep(100))], ToolLimits())[0] == (ToolJson(value=deep(100)),)


@given(st.lists(JSON | st.text(st.characters(), max_size=40), max_size=6), st.integers(0, 60))
def test_nothing_leaves_that_is_too_long_or_invalid(values: list[Any], text_bytes: int) -> None:
    parts: list[ToolContent] = [text(value) if isinstance(value, str) else ToolJson(value=value) for value in values]
    content, is_cut = bounded_content(parts, ToolLimits(text_bytes=text_bytes))
    encoded = [
        part.text if isinstance(part, ToolText) else json.dumps(part.value, ensure_ascii=False, allow_nan=False)
        for part in content
        if not isinstance(part, ToolImage)
    ]
    kept = sum(len(one.encode()) for one in encoded if not one.endswith("bytes of text left out]"))
    assert kept <= text_bytes
    assert is_cut == any(one.endswith("bytes of text left out]") for one in encoded)


@pytest.mark.parametrize(
    ("given", "expected"), [("äé", "äé"), ("\ud83d\ude00", "😀"), ("a\ud800b", "a\ufffdb"), ("\udc00", "\ufffd")]
)
def test_text_becomes_valid(given: str, expected: str) -> None:
    assert valid_text(given) == expected


def test_a_message_is_shortened_to_the_character() -> None:
    assert shortened("12345", 5) == "12345"
    assert shortened("123456", 5) == "1234…"
    assert shortened("1234\ud83d\ude00", 5) == "1234😀"
