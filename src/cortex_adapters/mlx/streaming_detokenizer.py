"""Turns tokens into text one by one, whole characters only.

mlx-lm's detokenizers leave out a space at the beginning of a text whatever the tokenizer does, read the byte 0 as "Ā",
and hold text back for as long as it ends in what is no character. Here a text is what the tokenizer's own decoder makes
of all tokens together.
"""

import codecs
from typing import Protocol

from cortex_adapters.mlx.token_bytes import TokenBytes


class StreamingDetokenizer(Protocol):
    """Makes text of tokens."""

    def push(self, token: int, /) -> str:
        """Takes the next token and returns the characters that it completes; may be empty."""

    def flush(self) -> str:
        """Returns what is held back; a character that was never completed is dropped."""


class ByteDetokenizer(StreamingDetokenizer):
    """Joins the bytes of tokens. Bytes that are no character, and become none, read as U+FFFD.

    Args:
        token_bytes: What tokens say; exact.
        begins_text: Whether the first token begins a text, so that the tokenizer may leave out its space.
    """

    def __init__(self, token_bytes: TokenBytes, *, begins_text: bool) -> None:
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._drops_space = begins_text and token_bytes.drops_first_space

    def push(self, token: int, /) -> str:
        """See `StreamingDetokenizer.push`."""
        text = self._decoder.decode(self._token_bytes[token])
        if text and self._drops_space:
            self._drops_space = False
            return text.removeprefix(" ")
        return text

    def flush(self) -> str:
        """Returns nothing: what is held back is never more than a part of a character."""
        return ""


class WrappedDetokenizer(StreamingDetokenizer):
    """Leaves it to mlx-lm, for tokenizers that decode in a way of their own.

    Args:
        detokenizer: A new one of mlx-lm's.
    """

    def __init__(self, detokenizer: "MlxDetokenizer") -> None:
        self._detokenizer = detokenizer

    def push(self, token: int, /) -> str:
        """See `StreamingDetokenizer.push`."""
        self._detokenizer.add_token(token)
        return self._detokenizer.last_segment

    def flush(self) -> str:
        """See `StreamingDetokenizer.flush`."""
        self._detokenizer.finalize()
        return self._detokenizer.last_segment.rstrip("\N{REPLACEMENT CHARACTER}")


class MlxDetokenizer(Protocol):
    """What mlx-lm's detokenizers offer."""

    def add_token(self, token: int) -> None:
        """Takes the next token id."""

    def finalize(self) -> None:
        """Decodes what is still held back."""

    @property
    def last_segment(self) -> str:
        """The text since the last look."""
