"""Decides how much of the prompts the next step reads.

A step decodes one token a row and then reads a piece of the prompts; the piece keeps every live stream waiting. So a
piece is small while streams live and large when none does, in time rather than in tokens: what a device reads in a
given time differs by a factor of a thousand between devices, and is measured as it goes.
"""

from cortex_adapters.mlx.reading_speed import GROWTH, ReadingSpeed

MAX_PROMPT_ROWS = 64
MIN_PROMPT_ROWS = 4
"""Prompts that are always read side by side, so that a short one need not wait for a long one."""
MIN_ROW_TOKENS = 4
MAX_PIECE_TOKENS = 8192
MAX_ROW_TOKENS = 2048
"""Tokens of one prompt; where attention is not fused, its scores take memory by this times the prompt so far."""
IDLE_PIECE_S = 0.5
"""Time of a piece when nobody waits for a token; also about how long a cancellation may take."""
LIVE_PIECE_PER_DECODE = 0.7
"""Time of a piece while streams live, as a multiple of the time that decoding takes."""
CROWD_PIECE_PER_DECODE = 1.5
"""The same where prompts wait, for each prompt that waits on each stream that lives: a crowd may hold up a few."""
CROWD_PIECE_S = 0.1
"""Longest time of such a piece: nobody notices that a text stood still for it."""
LIVE_GROWTH = 1.5
"""See `GROWTH`, while streams live."""
LONG_READING_S = 1.0
"""A prompt that takes longer than this, if it is read alone and at once, is a long one."""

_SMOOTHING = 0.5


class PrefillPacing:
    """Learns how fast the device is and plans the next piece."""

    def __init__(self) -> None:
        self._speed = ReadingSpeed()
        self._decode_s = 0.0

    def lanes(self, *, decoding_rows: int, prompts: int) -> int:
        """Tells how many prompts are best read side by side, 1 or more.

        Args:
            decoding_rows: Streams that wait meanwhile.
            prompts: Prompts that are read or wait for it.
        """
        wanted = self._budget(decoding_rows, prompts) // MIN_ROW_TOKENS
        return min(max(wanted, MIN_PROMPT_ROWS), MAX_PROMPT_ROWS)

    def plan(self, *, decoding_rows: int, prompt_rows: int) -> int:
        """Plans the next piece and returns how many tokens of each prompt it has, 1 or more.

        Args:
            decoding_rows: Streams that wait while it is read.
            prompt_rows: Prompts that are read together.
        """
        tokens = self._budget(decoding_rows, prompt_rows) // max(prompt_rows, 1)
        return min(max(tokens, MIN_ROW_TOKENS), MAX_ROW_TOKENS)

    def tokens_read_in(self, seconds: float) -> int:
        """Tells how many more tokens of a prompt are read in so much time, when others are read with them anyway."""
        return int(seconds / self._speed.token_s)

    def is_long(self, tokens: int) -> bool:
        """Tells whether so many tokens take long to read."""
        return self._speed.seconds_for(tokens) > LONG_READING_S

    def observe(self, *, decoding_rows: int, decode_s: float, prompt_tokens: int, prompt_s: float) -> None:
        """Takes the measurements of a step.

        Args:
            decoding_rows: Rows that decoded a token.
            decode_s: Seconds spent on that.
            prompt_tokens: Tokens of prompts that were read.
            prompt_s: Seconds spent on that. Which of both includes the wait for the decoding that the step started
                depends on the device; only their sum tells what the prompts took.
        """
        if not prompt_tokens:
            self._decode_s = _smoothed(self._decode_s, decode_s)
            return
        reading_s = prompt_s + (decode_s - self._decode_s if decoding_rows else 0.0)
        if reading_s > 0:
            self._speed.observe(tokens=prompt_tokens, seconds=reading_s)

    def _budget(self, decoding_rows: int, prompts: int) -> int:
        """Tokens that the next piece may have."""
        growth = LIVE_GROWTH if decoding_rows else GROWTH
        tokens = self._speed.tokens_within(self._seconds(decoding_rows, prompts), growth=growth)
        return min(tokens, MAX_PIECE_TOKENS)

    def _seconds(self, decoding_rows: int, prompts: int) -> float:
        if not decoding_rows:
            return IDLE_PIECE_S
        crowd_s = CROWD_PIECE_PER_DECODE * self._decode_s * prompts / decoding_rows
        return max(LIVE_PIECE_PER_DECODE * self._decode_s, min(crowd_s, CROWD_PIECE_S))


def _smoothed(known: float, observed: float) -> float:
    return known + _SMOOTHING * (observed - known) if known else observed
