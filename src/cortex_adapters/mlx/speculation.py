"""Guesses the next tokens of one sequence with a draft model.

Speculative decoding: the large model then reads all guesses in one pass and keeps those that it would have drawn itself
(https://arxiv.org/abs/2211.17192; here a guess is kept if it is the very token that the same random numbers draw, so
that nothing changes, at any temperature).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache, trim_prompt_cache

from cortex_adapters.mlx.batch_sampling import RowSampler, draw
from cortex_adapters.mlx.draft_model import DraftModel
from cortex_adapters.mlx.lookahead import Lookahead

GUESSES = 4
"""Tokens that are guessed at once."""
PIECE_TOKENS = 512
"""Tokens of a prompt that the draft model reads between two steps, until it knows as much as the large one."""


@dataclass(slots=True)
class _DraftRow:
    """What the draft model has read of a sequence: its caches hold `read_tokens` of them, from the first."""

    uid: int
    caches: list[Any]
    read_tokens: int = 0


class Speculation:
    """Guesses for one sequence at a time.

    Attributes:
        guessed: Tokens that were guessed.
        accepted: Those of them that were right.
    """

    def __init__(self, draft: DraftModel) -> None:
        self.guessed = 0
        self.accepted = 0
        self._draft = draft
        self._row: _DraftRow | None = None

    def guess(
        self,
        uid: int,
        tokens: Sequence[int],
        sampler: RowSampler,
        /,
        *,
        at_most: int,
        lookahead: Lookahead | None = None,
    ) -> list[int]:
        """Guesses what follows.

        Args:
            uid: The sequence.
            tokens: All tokens of it.
            sampler: How the next one is drawn; left where it is.
            at_most: Most guesses that are of use.
            lookahead: What the sequence is held to; takes the last token and, where there are guesses, all of these.

        Returns:
            Token ids; none while the draft model has yet to read what is there, or cannot.
        """
        guesses = min(GUESSES, at_most)
        if guesses < 1 or len(tokens) + guesses > self._draft.context_window:
            return []
        row = self._row_of(uid)
        unread = mx.array(list(tokens[row.read_tokens :]), dtype=mx.uint32)
        if unread.size > PIECE_TOKENS:
            mx.eval(self._read(row, unread[:PIECE_TOKENS]))
            return []
        if lookahead is None:
            return self._guess(row, unread, sampler.ahead(guesses))
        return self._guess_held(row, unread, sampler.ahead(guesses), lookahead)

    def confirm(self, *, accepted: int, known_tokens: int) -> None:
        """Takes the news that so many of the last guesses were right; with them the sequence has so many tokens."""
        self.accepted += accepted
        if self._row is not None and self._row.read_tokens > known_tokens:
            trim_prompt_cache(self._row.caches, self._row.read_tokens - known_tokens)
            self._row.read_tokens = known_tokens

    def keep_only(self, uids: Sequence[int], /) -> None:
        """Forgets a sequence that is none of these."""
        if self._row is not None and self._row.uid not in uids:
            self._row = None

    def _row_of(self, uid: int) -> _DraftRow:
        if self._row is None or self._row.uid != uid:
            self._row = _DraftRow(uid, make_prompt_cache(self._draft.network))
        return self._row

    def _guess(self, row: _DraftRow, unread: mx.array, samplers: Sequence[RowSampler]) -> list[int]:
        guesses: list[mx.array] = []
        for sampler in samplers:
            logits = self._read(row, guesses[-1] if guesses else unread)
            guesses.append(draw(logits, [sampler]))
        self.guessed += len(guesses)
        tokens_guessed: Any = mx.concatenate(guesses).tolist()
        return list(tokens_guessed)

    def _guess_held(
        self, row: _DraftRow, unread: mx.array, samplers: Sequence[RowSampler], lookahead: Lookahead
    ) -> list[int]:
        """Guesses what the sequence may say; each guess has to be known before the next one."""
        last: Any = unread[-1].item()
        lookahead.take(last)
        guesses: list[int] = []
        for sampler in samplers:
            logits = lookahead.mask_next(self._read(row, mx.array(guesses[-1:]) if guesses else unread))
            drawn: Any = draw(logits, [sampler]).item()
            lookahead.take(drawn)
            guesses.append(drawn)
        self.guessed += len(guesses)
        return guesses

    def _read(self, row: _DraftRow, tokens: mx.array) -> mx.array:
        """Reads tokens; returns the logits of what follows, shape (1, vocabulary)."""
        # The large model may have ids without a word that the small one lacks.
        ids = mx.minimum(tokens, self._draft.vocabulary_size - 1)
        row.read_tokens += ids.size
        logits: mx.array = self._draft.network(ids[None], cache=row.caches)
        return logits[:, -1, :]
