"""What counts as a token of a fake model."""

import re


def split_words(text: str, /) -> list[str]:
    """Splits a text into words, each with the whitespace before it; joined they are the text again."""
    return re.findall(r"\s*\S+|\s+", text)
