"""Turns an answer's tokens into text that may be shown."""

import contextlib
from collections.abc import Sequence
from typing import Protocol

from cortex_domain.stop_texts import StopTextFilter

_HALF_CHARACTER = "\N{REPLACEMENT CHARACTER}"


class StreamingDetokenizer(Protocol):
    """What mlx-lm's detokenizers offer; whole characters only, until `finalize`."""

    def add_token(self, token: int) -> None:
        """Takes the next token id."""

    def finalize(self) -> None:
        """Decodes what is still held back."""

    @property
    def last_segment(self) -> str:
        """The text since the last look."""


class AnswerText:
    """Detokenizes one answer, ends it at a stop text and never shows half a character."""

    def __init__(self, detokenizer: StreamingDetokenizer, stop_texts: Sequence[str]) -> None:
        self._detokenizer = detokenizer
        self._filter = StopTextFilter(stop_texts)

    @property
    def stopped(self) -> bool:
        """Whether a stop text was found."""
        return self._filter.stopped

    @property
    def stop_text(self) -> str | None:
        """The stop text that was found; None before that."""
        return self._filter.found

    def push(self, token: int, /) -> str:
        """Takes the next token and returns the text that may be shown now; may be empty."""
        self._detokenizer.add_token(token)
        return self._filter.push(self._detokenizer.last_segment)

    def flush(self) -> str:
        """Returns the rest; call it after the last token. A character that was never completed is dropped."""
        with contextlib.suppress(KeyError):  # mlx-lm's, where half a character stands beside a special token
            self._detokenizer.finalize()
        rest = self._filter.push(self._detokenizer.last_segment.rstrip(_HALF_CHARACTER))
        return rest + self._filter.flush()
