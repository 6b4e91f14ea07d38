"""Which tokens one sequence may draw next: a grammar's matcher, and when it begins to hold.

The state of a constraint follows from the tokens of the answer alone, so another engine, another row, or a rollback
after wrong guesses comes to the same.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from cortex_domain.errors import InvalidRequestError

MOST_UNDONE = 16
"""Tokens that `undo` can take back; more than are ever guessed at once."""
WORD_BITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeText:
    """A stretch of the answer that no grammar holds.

    Attributes:
        end: The text that ends it.
        drops_rest: Whether white space right behind it belongs to it.
    """

    end: bytes
    drops_rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """How a model that has not begun to think may do so with its first token.

    Attributes:
        start_token: The token that begins it.
        text: What it says then.
    """

    start_token: int
    text: FreeText


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in its free stretches an answer is: those that are still to be passed, and what was said of the first."""

    free: tuple[FreeText, ...]
    said: bytes = b""
    is_lost: bool = False


class TokenConstraint:
    """Follows one answer, token by token.

    Args:
        matcher: The grammar's, where it begins; it belongs to this constraint alone.
        tokenizer: The model's.
        parameter: The request's parameter that asked for the grammar.
        free: What comes before the grammar holds.
        thinking: How the model may begin to think; None where it cannot, or has begun.
    """

    def __init__(
        self,
        matcher: LLMatcher,
        tokenizer: LLTokenizer,
        *,
        parameter: str,
        free: Sequence[FreeText] = (),
        thinking: Thinking | None = None,
    ) -> None:
        self._matcher = matcher
        self._tokenizer = tokenizer
        self._parameter = parameter
        self._place = _Place(tuple(free))
        self._thinking = thinking
        self._failure: str | None = None
        self._undo: deque[tuple[_Place, Thinking | None, int]] = deque(maxlen=MOST_UNDONE)

    @property
    def is_bound(self) -> bool:
        """Whether the grammar says what comes next."""
        return not self._place.free and not self._place.is_lost and self._failure is None

    def take(self, token: int, /) -> None:
        """Takes the answer's next token."""
        before, self._thinking, thinking = self._place, None, self._thinking
        if thinking is not None and token == thinking.start_token:
            self._place = _Place((thinking.text, *before.free))
            consumed = 0
        elif before.free:
            consumed = self._pass_by(before.said + self._tokenizer.decode_bytes([token]))
        else:
            consumed = self._consume([token]) if self.is_bound else 0
        self._undo.append((before, thinking, consumed))

    def undo(self, tokens: int, /) -> None:
        """Takes back so many of the last tokens, up to `MOST_UNDONE`."""
        consumed = 0
        for _ in range(tokens):
            self._place, self._thinking, matched = self._undo.pop()
            consumed += matched
        if consumed:
            self._matcher.rollback(consumed)

    def allowed(self) -> NDArray[np.int32] | None:
        """Tells which tokens may come next: a bit each, shape (words,), the lowest bit of the first word for token 0.

        None leaves the answer free, for now or because the grammar cannot be followed.
        """
        if not self.is_bound:
            return None
        mask = np.zeros(-(-self._tokenizer.vocab_size // WORD_BITS), dtype=np.int32)
        self._matcher.unsafe_compute_mask_ptr(mask.ctypes.data, mask.nbytes)
        if self._matcher.is_error():
            self._failure = "it is too complex"
        elif not mask.any():
            self._failure = "nothing that the model can say goes on from here"
        elif self._thinking is not None:
            word, bit = divmod(self._thinking.start_token, WORD_BITS)
            mask.view(np.uint32)[word] |= np.uint32(1 << bit)
        return mask if self._failure is None else None

    def require_sound(self) -> None:
        """Makes sure that the grammar could be followed so far.

        Raises:
            InvalidRequestError: It could not; the answer is not what it should be.
        """
        if self._failure is not None:
            raise InvalidRequestError(
                f"What the output is bound to could not be followed: {self._failure}.", parameter=self._parameter
            )

    def _pass_by(self, said: bytes) -> int:
        """Takes what was said in a free stretch; returns how many tokens of the matcher it came to."""
        first, *others = self._place.free
        _, end, rest = said.partition(first.end)
        if not end:
            self._place = _Place(self._place.free, said[-len(first.end) :])
            return 0
        self._place = _Place(tuple(others))
        rest = rest.lstrip() if first.drops_rest else rest
        if others:
            return self._pass_by(rest)
        return self._consume(self._tokenizer.tokenize_bytes(rest)) if rest else 0

    def _consume(self, tokens: list[int]) -> int:
        """Has the matcher take tokens; an answer that went its own way before it was bound is left to itself."""
        consumed = self._matcher.try_consume_tokens(tokens)
        if consumed < len(tokens) and not self._matcher.is_stopped():
            self._place = _Place((), is_lost=True)
        return consumed
