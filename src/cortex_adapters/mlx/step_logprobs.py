"""Log-probabilities of the tokens that one step draws, for the rows that ask for them.

They are of the model's own distribution, from its logits as they are: before biases, penalties, constraints,
temperature and cuts. So they say the same of a text whatever it was drawn with; vLLM and llama.cpp's server do
likewise, unless they are told otherwise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import mlx.core as mx

from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.token_bytes import TokenBytes
from cortex_domain.token_logprobs import LEAST_LOGPROB, TokenLogprob


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLogprob:
    """What is told of one token that was drawn.

    Attributes:
        logprob: The natural logarithm of its probability; may be infinite.
        top: Ids and logarithms of the most probable tokens in its place, the most probable first.
    """

    logprob: float
    top: tuple[tuple[int, float], ...]


class StepLogprobs:
    """Computed with the step, in one call for all rows that ask, and read with its tokens.

    Attributes:
        arrays: What is to be computed.

    Args:
        logits: Those of the rows that ask, shape (rows, vocabulary).
        drawn: The tokens drawn for them, shape (rows,).
        alternatives: How many each row asks for.
    """

    def __init__(self, logits: mx.array, drawn: mx.array, alternatives: Sequence[int]) -> None:
        logits = logits.astype(mx.float32)
        logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
        most = min(max(alternatives), logits.shape[-1])
        self._alternatives = alternatives
        self.arrays = [mx.take_along_axis(logprobs, drawn[:, None], axis=-1), *_best(logprobs, most)]
        self._read: list[DrawnLogprob] | None = None

    def __getitem__(self, row: int) -> DrawnLogprob:
        """Returns what a row asked for; the first one to be read waits for the device."""
        if self._read is None:
            self._read = self._read_all()
        return self._read[row]

    def _read_all(self) -> list[DrawnLogprob]:
        lists: list[Any] = [array.tolist() for array in self.arrays]
        return [
            DrawnLogprob(logprob=logprob, top=tuple(zip(ids, values, strict=True))[:wanted])
            for [logprob], ids, values, wanted in zip(*lists, self._alternatives, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class RowLogprob:
    """One row's place in a step's."""

    step: StepLogprobs
    row: int

    def read(self) -> DrawnLogprob:
        """Returns what is told of the row's token."""
        return self.step[self.row]


def token_logprob(token_bytes: TokenBytes, token: int, drawn: DrawnLogprob | None, /) -> TokenLogprob | None:
    """Puts what was computed of a token into the domain's words; None when nobody asked."""
    return None if drawn is None else describe_token(token_bytes, token, drawn)


def describe_token(token_bytes: TokenBytes, token: int, drawn: DrawnLogprob, /) -> TokenLogprob:
    """Puts what was computed of a token into the domain's words."""
    top = tuple(_told(token_bytes, *alternative) for alternative in drawn.top)
    return replace(_told(token_bytes, token, drawn.logprob), top=top)


def logprobs_of_step(
    logits: mx.array, drawn: mx.array, rows: Sequence[RowSampler], /
) -> tuple[list[RowLogprob | None], list[mx.array]]:
    """Plans what is told of a step.

    Args:
        logits: The model's own, shape (rows, vocabulary).
        drawn: The tokens drawn, shape (rows,).
        rows: How each was drawn, and what it asks for.

    Returns:
        What is told of each row, None of those that do not ask; and the arrays that have to be computed for it.
    """
    asking = [(row, sampler.logprobs) for row, sampler in enumerate(rows) if sampler.logprobs is not None]
    told: list[RowLogprob | None] = [None] * len(rows)
    if not asking:
        return told, []
    indices = mx.array([row for row, _ in asking])
    step = StepLogprobs(logits[indices], drawn[indices], [alternatives for _, alternatives in asking])
    for place, (row, _) in enumerate(asking):
        told[row] = RowLogprob(step, place)
    return told, step.arrays


def _told(token_bytes: TokenBytes, token: int, logprob: float) -> TokenLogprob:
    said = token_bytes[token]
    # Not a number, of a model that overflows, is as good as impossible; rounding may come out above 0.
    within = LEAST_LOGPROB if math.isnan(logprob) else min(max(logprob, LEAST_LOGPROB), 0.0)
    return TokenLogprob(token_id=token, text=said.decode(errors="replace"), bytes=tuple(said), logprob=within)


def _best(logprobs: mx.array, most: int) -> tuple[mx.array, mx.array]:
    """Finds the ids of the largest values of each row, and the values, the largest first; shape (rows, most)."""
    if most == 0:
        return mx.zeros((logprobs.shape[0], 0), dtype=mx.uint32), logprobs[:, :0]
    found = mx.argpartition(-logprobs, kth=most - 1, axis=-1)[:, :most]
    order = mx.argsort(-mx.take_along_axis(logprobs, found, axis=-1), axis=-1)
    ids = mx.take_along_axis(found, order, axis=-1)
    return ids, mx.take_along_axis(logprobs, ids, axis=-1)
