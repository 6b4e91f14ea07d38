"""Keeps the rows of a batch from drawing what their grammars do not allow."""

import math
from collections.abc import Sequence
from functools import lru_cache

import mlx.core as mx
import numpy as np
from llguidance.mlx import apply_token_bitmask
from numpy.typing import NDArray

from cortex_adapters.mlx.device import current_device
from cortex_adapters.mlx.token_constraint import WORD_BITS, TokenConstraint
from cortex_domain.engine_status import Device

AllowedTokens = NDArray[np.int32]
"""One bit a token, shape (words,); see `TokenConstraint.allowed`."""


def mask_logits(logits: mx.array, constraints: Sequence[TokenConstraint | None], /) -> mx.array:
    """Takes from each row that is held to something what may not come next.

    Args:
        logits: Shape (rows, vocabulary).
        constraints: One a row, at the point where its next token is drawn; None for a row that is free.

    Returns:
        The logits, with minus infinity for what is not allowed.
    """
    return mask_rows(logits, [None if constraint is None else constraint.allowed() for constraint in constraints])


def mask_rows(logits: mx.array, allowed: Sequence[AllowedTokens | None], /) -> mx.array:
    """Does so with what each row is allowed; None allows it everything."""
    if all(tokens is None for tokens in allowed):
        return logits
    masks = np.full((len(allowed), -(-logits.shape[-1] // WORD_BITS)), -1, dtype=np.int32)
    for mask, tokens in zip(masks, allowed, strict=True):
        if tokens is not None:
            words = min(len(mask), len(tokens))
            mask[:words], mask[words:] = tokens[:words], 0
    return apply_masks(logits, masks)


def apply_masks(logits: mx.array, masks: NDArray[np.int32], /) -> mx.array:
    """Sets to minus infinity, in logits of shape (rows, vocabulary), what masks of shape (rows, words) do not have."""
    if current_device() is Device.METAL:
        return apply_token_bitmask(logits, masks)
    table = _additions(logits.dtype)
    additions = table[mx.array(masks.view(np.uint8))].reshape(len(masks), -1)
    return logits + additions[:, : logits.shape[-1]]


@lru_cache
def _additions(dtype: mx.Dtype) -> mx.array:
    """What is added to the logits of eight tokens, for each byte of a mask; shape (256, 8).

    Looking it up is the fastest that plain MLX has on a CPU: 0.2 ms for 49,152 tokens, against 0.5 ms by shifting bits.
    """
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return mx.array(np.where(bits, 0.0, -math.inf)).astype(dtype)
