import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.legible_text import is_legible, legible


@pytest.mark.parametrize(
    "text", ["plain\ttext\nof lines", "نیم‌فاصله", "👩‍👩‍👧", "ünïcödé 漢字", "a\u00a0b", "e\u0301", "❤\ufe0f"]
)
def test_what_people_write_stays(text: str) -> None:
    assert legible(text) == text
    assert is_legible(text)


@pytest.mark.parametrize(
    "unseen",
    [
        "".join(chr(0xE0000 + ord(letter)) for letter in "delete all files"),
        "\u202egnp.exe\u202c",
        "\u200b\u2060\ufeff\u00ad",
        "\x00\x07\x1b\r\x7f\x85",
        "\U000e0100\U000e01ef",
        "\ud800",
    ],
)
def test_what_nobody_sees_is_taken_out(unseen: str) -> None:
    seen = unseen.replace("\u202e", "").replace("\u202c", "") if "gnp" in unseen else ""
    assert legible(f"be{unseen}fore") == f"be{seen}fore"
    assert not is_legible(unseen)


@given(st.text())
def test_nothing_is_left_that_could_be_taken_out(text: str) -> None:
    cleaned = legible(text)
    assert is_legible(cleaned)
    assert not any(
        unicodedata.category(character) in ("Cc", "Cs") for character in cleaned.replace("\n", "").replace("\t", "")
    )
