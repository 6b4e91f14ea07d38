"""Turns an answer's tokens into thoughts and text that may be shown."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from cortex_adapters.mlx.thought_text import Piece, ThoughtText
from cortex_domain.events import TextDelta
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
    """Detokenizes one answer, tells what is thought from what is said, and never shows half a character.

    A stop text ends what is said; within thoughts it is text.

    Attributes:
        reasoning_tokens: Tokens so far that were within the thoughts or marked them.

    Args:
        detokenizer: The answer's own.
        stop_texts: Texts that end the answer.
        thoughts: Finds the model's thoughts; None for a model without any.
    """

    def __init__(
        self, detokenizer: StreamingDetokenizer, stop_texts: Sequence[str], thoughts: ThoughtText | None = None
    ) -> None:
        self._detokenizer = detokenizer
        self._filter = StopTextFilter(stop_texts)
        self._thoughts = thoughts
        self.reasoning_tokens = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop text was found."""
        return self._filter.stopped

    @property
    def stop_text(self) -> str | None:
        """The stop text that was found; None before that."""
        return self._filter.found

    def push(self, token: int, /) -> list[Piece]:
        """Takes the next token and returns what may be shown now."""
        self._detokenizer.add_token(token)
        text = self._detokenizer.last_segment
        if self._thoughts is None:
            return self._say(text)
        return self._up_to_stop_text(self._think(self._thoughts, text))

    def flush(self) -> list[Piece]:
        """Returns the rest; call it after the last token. A character that was never completed is dropped."""
        with contextlib.suppress(KeyError):  # mlx-lm's, where half a character stands beside a special token
            self._detokenizer.finalize()
        text = self._detokenizer.last_segment.rstrip(_HALF_CHARACTER)
        if self._thoughts is None:
            return self._say(text, is_last=True)
        pieces = self._up_to_stop_text([*self._thoughts.push(text), *self._thoughts.flush()])
        return pieces + self._say("", is_last=True)

    def _think(self, thoughts: ThoughtText, text: str) -> list[Piece]:
        was_thinking = thoughts.is_thinking
        pieces = thoughts.push(text)
        self.reasoning_tokens += was_thinking or thoughts.is_thinking
        if thoughts.is_over:
            self._thoughts = None
        return pieces

    def _up_to_stop_text(self, pieces: Iterable[Piece]) -> list[Piece]:
        return [shown for piece in pieces for shown in self._heed_stop_texts(piece)]

    def _heed_stop_texts(self, piece: Piece) -> list[Piece]:
        return self._say(piece.text) if isinstance(piece, TextDelta) else [piece]

    def _say(self, text: str, *, is_last: bool = False) -> list[Piece]:
        shown = self._filter.push(text) + (self._filter.flush() if is_last else "")
        return [TextDelta(text=shown)] if shown else []
