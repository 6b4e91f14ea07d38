"""How probable a model found the tokens of an answer, and what it would rather have said."""

from collections import deque
from dataclasses import dataclass

MAX_TOP_LOGPROBS = 20
"""Most alternatives a token that a request may ask for."""
LEAST_LOGPROB = -9999.0
"""Stands for a probability of 0, whose logarithm JSON cannot write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """A token, and the natural logarithm of its probability.

    The distribution is the model's own: before biases, penalties, constraints, temperature and cuts.

    Attributes:
        token_id: The token.
        text: What it says alone; a part of a character reads as U+FFFD.
        bytes: What it says, 0 to 255 each: those of all tokens in a row are the UTF-8 of their text.
        logprob: -9999 to 0; -9999 stands for a probability of 0 too. The first token of a prompt follows nothing: 0.
        top: The most probable tokens in its place, the most probable first, as many as were asked for; the token itself
            need not be among them. Alternatives have none of their own.
    """

    token_id: int
    text: str
    bytes: tuple[int, ...]
    logprob: float
    top: tuple["TokenLogprob", ...] = ()


class UntoldTokens:
    """Finds the tokens that go with a text, of which some is held back before it is shown.

    A token is told with the first character that it has a part in; one that brought no character, with the next. So
    those whose characters are never shown, because they lie in a stop text, are not told.
    """

    def __init__(self) -> None:
        self._untold: deque[tuple[int, TokenLogprob]] = deque()
        self._written = 0
        self._shown = 0

    @property
    def tokens(self) -> tuple[TokenLogprob, ...]:
        """Those that have not been told."""
        return tuple(token for _, token in self._untold)

    def add(self, token: TokenLogprob | None, /, *, characters: int) -> None:
        """Takes the next token, or None when it was told before, and how many characters it added to the text."""
        if token is not None:
            self._untold.append((self._written, token))
        self._written += characters

    def show(self, characters: int, /) -> tuple[TokenLogprob, ...]:
        """Takes the news that so many more characters are shown; returns the tokens that go with them."""
        self._shown += characters
        told = []
        while self._untold and self._untold[0][0] < self._shown:
            told.append(self._untold.popleft()[1])
        return tuple(told)

    def forget(self) -> None:
        """Drops the tokens that have not been told: their text is no part of the answer."""
        self._untold.clear()

    def show_rest(self) -> tuple[TokenLogprob, ...]:
        """Returns the tokens that are left, at the end of a text that is shown as a whole."""
        rest = self.tokens
        self._untold.clear()
        return rest
