"""Learns how long a device takes to read so many tokens of prompts.

A piece costs something however short it is (its kernels are launched, the device is waited for), and then so much a
token. Both are fitted to what was measured, by least squares in which old measurements fade. A single rate would not
do: measured on short pieces it is far too low, so that pieces would become shorter still.
"""

import math

_FADING = 0.9
"""Weight that a measurement keeps with each one that follows."""
_SURPRISE = 4.0
"""What takes more than this many times the expected time counts as if it took no more: somebody else had the device."""
_SURPRISE_MARGIN_S = 0.02
GROWTH = 4.0
"""How many times longer than the last ones (by their root mean square) a piece may be: noise alone can make tokens seem
to cost next to nothing, and the next piece would be as long as there are tokens."""
_LEAST_SHARE = 0.5
"""Time for the tokens of a piece, as a multiple of its fixed cost, where that is all that there is time for."""
_FIRST_GUESS_S = 1 / 1000


class ReadingSpeed:
    """The time of a piece as `fixed_s + tokens * token_s`.

    Attributes:
        fixed_s: Seconds that a piece takes however short it is.
        token_s: Seconds that each token adds.
    """

    def __init__(self) -> None:
        self.fixed_s = 0.0
        self.token_s = _FIRST_GUESS_S
        self._weight = 0.0
        self._tokens = 0.0
        self._seconds = 0.0
        self._tokens_squared = 0.0
        self._tokens_by_seconds = 0.0

    def seconds_for(self, tokens: int) -> float:
        """Estimates how long a piece of so many tokens takes, in seconds."""
        return self.fixed_s + tokens * self.token_s

    def tokens_within(self, seconds: float, *, growth: float = GROWTH) -> int:
        """Estimates how many tokens may be read in so many seconds.

        Where the fixed cost leaves too little, as many as are read in half of that: a third of the time is then still
        spent on tokens.

        Args:
            seconds: The time.
            growth: How many times longer than the last pieces it may be.
        """
        tokens_s = max(seconds - self.fixed_s, _LEAST_SHARE * self.fixed_s)
        return int(min(tokens_s / self.token_s, growth * self._usual_tokens()))

    def observe(self, *, tokens: int, seconds: float) -> None:
        """Takes the measurement of a piece."""
        if self._weight:
            seconds = min(seconds, _SURPRISE * self.seconds_for(tokens) + _SURPRISE_MARGIN_S)
        self._weight = _FADING * self._weight + 1
        self._tokens = _FADING * self._tokens + tokens
        self._seconds = _FADING * self._seconds + seconds
        self._tokens_squared = _FADING * self._tokens_squared + tokens * tokens
        self._tokens_by_seconds = _FADING * self._tokens_by_seconds + tokens * seconds
        self._fit()

    def _usual_tokens(self) -> float:
        return math.sqrt(self._tokens_squared / self._weight) if self._weight else math.inf

    def _fit(self) -> None:
        tokens, seconds = self._tokens / self._weight, self._seconds / self._weight
        variance = self._tokens_squared / self._weight - tokens * tokens
        covariance = self._tokens_by_seconds / self._weight - tokens * seconds
        self.fixed_s, self.token_s = 0.0, seconds / tokens
        # Pieces of nearly one length say nothing of what a shorter one would cost.
        if variance > (tokens / 10) ** 2 and covariance > 0:
            slope = covariance / variance
            if slope < self.token_s:
                self.fixed_s, self.token_s = seconds - slope * tokens, slope
