"""Draws the next tokens of all rows of a batch in one call, whatever the parameters of each row.

mlx-lm calls one sampler per row unless all rows share one. Here each row brings its parameters and one call draws for
all: the same few operations for 64 rows as for one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import mlx.core as mx

from cortex_adapters.mlx.token_constraint import TokenConstraint
from cortex_domain.generation import SamplingParameters

_COLDEST = 1e-4
"""Below this temperature the most probable token is drawn anyway, and logits divided by it overflow in the end."""
_MASK_32 = 2**32 - 1
_MASK_64 = 2**64 - 1


class PromptReader(Protocol):
    """Learns what the model says of a prompt's tokens."""

    def take(self, logits: mx.array, /) -> None:
        """Takes the logits behind the next tokens of the prompt, shape (tokens, vocabulary)."""


@dataclass(slots=True)
class RowSampler:
    """How one row draws, and where in its answer it is.

    Attributes:
        sampling: The parameters; a row that is not greedy has a seed.
        position: Number of the next token of the answer, counted from 0.
        constraint: What the answer is held to; None leaves it free.
        logprobs: Alternatives that are told with each token; None tells nothing of tokens.
        prompt_reader: Is given the logits of the row's prompt; None leaves them uncomputed.
    """

    sampling: SamplingParameters
    position: int = 0
    constraint: TokenConstraint | None = None
    logprobs: int | None = None
    prompt_reader: PromptReader | None = None

    @property
    def is_greedy(self) -> bool:
        """Whether it takes the most probable token."""
        return self.sampling.temperature < _COLDEST

    def ahead(self, draws: int, /) -> list["RowSampler"]:
        """Makes a sampler for each of the next draws; this one stays where it is."""
        return [RowSampler(self.sampling, self.position + number) for number in range(draws)]

    def next_key(self) -> tuple[int, int]:
        """Makes the random key of the next draw; it depends on seed and position alone.

        So a draw is the same alone, in any batch, and in another engine that goes on with the answer.
        """
        assert self.sampling.seed is not None
        mixed = _mix(self.sampling.seed, self.position)
        self.position += 1
        return mixed >> 32, mixed & _MASK_32


def draw(logits: mx.array, rows: Sequence[RowSampler], /) -> mx.array:
    """Draws one token id a row.

    Args:
        logits: Shape (rows, vocabulary).
        rows: One a row.

    Returns:
        Token ids, shape (rows,).
    """
    if all(row.is_greedy for row in rows):
        return mx.argmax(logits, axis=-1)
    if not any(row.is_greedy for row in rows):
        return _draw_at_random(logits, rows)
    is_greedy = mx.array([row.is_greedy for row in rows])
    warm = [_WARM_STAND_IN if row.is_greedy else row for row in rows]
    return mx.where(is_greedy, mx.argmax(logits, axis=-1), _draw_at_random(logits, warm))


def _draw_at_random(logits: mx.array, rows: Sequence[RowSampler]) -> mx.array:
    logits = logits.astype(mx.float32)
    kept = mx.where(logits < _threshold(logits, rows), -math.inf, logits) if _any_cuts(rows) else logits
    temperatures = mx.array([row.sampling.temperature for row in rows])[:, None]
    # Adding Gumbel noise and taking the largest draws from the softmax: https://arxiv.org/abs/1411.0030
    return mx.argmax(kept / temperatures + _gumbel_noise(logits.shape[-1], rows), axis=-1)


def _gumbel_noise(vocabulary_size: int, rows: Sequence[RowSampler]) -> mx.array:
    keys = mx.array([row.next_key() for row in rows], dtype=mx.uint32)
    if len(rows) == 1:
        return mx.random.gumbel((vocabulary_size,), key=keys[0])[None]
    return mx.vmap(lambda key: mx.random.gumbel((vocabulary_size,), key=key))(keys)


def _any_cuts(rows: Sequence[RowSampler]) -> bool:
    return any(row.sampling.top_p < 1 or row.sampling.min_p > 0 or row.sampling.top_k is not None for row in rows)


def _threshold(logits: mx.array, rows: Sequence[RowSampler]) -> mx.array:
    """The least logit, shape (rows, 1), that each row's top_p, min_p and top_k all keep."""
    best = mx.max(logits, axis=-1, keepdims=True)
    threshold = best + mx.array([_log(row.sampling.min_p) for row in rows])[:, None]
    if all(row.sampling.top_p == 1 and row.sampling.top_k is None for row in rows):
        return threshold
    rising = mx.sort(logits, axis=-1)
    return mx.maximum(threshold, mx.maximum(_top_p_threshold(rising, rows), _top_k_threshold(rising, rows)))


def _top_p_threshold(rising: mx.array, rows: Sequence[RowSampler]) -> mx.array:
    weights = mx.exp(rising - rising[:, -1:])
    above = mx.cumsum(weights, axis=-1, reverse=True, inclusive=False)
    wanted = mx.array([row.sampling.top_p for row in rows])[:, None] * weights.sum(axis=-1, keepdims=True)
    # A share too small for float32 would drop the best token too.
    dropped = mx.minimum((above >= wanted).sum(axis=-1, keepdims=True), rising.shape[-1] - 1)
    return mx.take_along_axis(rising, dropped, axis=-1)


def _top_k_threshold(rising: mx.array, rows: Sequence[RowSampler]) -> mx.array:
    vocabulary_size = rising.shape[-1]
    dropped = [max(vocabulary_size - (row.sampling.top_k or vocabulary_size), 0) for row in rows]
    return mx.take_along_axis(rising, mx.array(dropped)[:, None], axis=-1)


def _log(share: float) -> float:
    return math.log(share) if share > 0 else -math.inf


def _mix(seed: int, position: int) -> int:
    """Spreads seed and position over 64 bits: SplitMix64's finaliser (https://prng.di.unimi.it/splitmix64.c)."""
    mixed = (seed + (position + 1) * 0x9E3779B97F4A7C15) & _MASK_64
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return mixed ^ (mixed >> 31)


_WARM_STAND_IN = RowSampler(SamplingParameters(temperature=1, top_p=1, seed=0))
"""Fills a greedy row's place in a warm draw, whose result nobody reads."""
