"""Prepares a model to decode fast where that is bound by the number of kernels; its results stay what they are."""

import logging
from collections.abc import Callable
from typing import Any

import mlx.core as mx

from cortex_adapters.mlx.attention_replacement import replace_attention
from cortex_adapters.mlx.decoding_cache import prepare_for_decoding
from cortex_adapters.mlx.joint_projections import join_projections
from cortex_adapters.mlx.ragged_attention import attend

logger = logging.getLogger(__name__)

MakeRowCaches = Callable[[], list[Any]]

_TOLERANCE = 0.05
"""Largest difference of two logits, as a share of the largest logit, that rounding may make."""
_TRIAL_ROWS = ([*range(5)], [*range(11)])
"""Tokens of two rows of different lengths."""


def speed_up_decoding(network: Any, make_row_caches: MakeRowCaches, /) -> bool:  # noqa: ANN401 - mlx-lm's module
    """Changes a loaded model in place; call it where kernels are few and large enough to be worth it: on CUDA.

    Args:
        network: The model, with its weights in memory.
        make_row_caches: Makes empty caches for one sequence, one a layer.

    Returns:
        Whether its attention takes `RaggedRows`.
    """
    join_projections(network)
    if not replace_attention(network, attend):
        return False
    slow = _next_logits(network, make_row_caches, takes_ragged_rows=False)
    try:
        fast = _next_logits(network, make_row_caches, takes_ragged_rows=True)
    except Exception:  # whatever a model makes of a mask that it does not know
        logger.info("Rows of different lengths are decoded with masks", exc_info=True)
        return False
    return _agree(fast, slow)


def _next_logits(network: Any, make_row_caches: MakeRowCaches, *, takes_ragged_rows: bool) -> mx.array:  # noqa: ANN401
    """Lets a model read rows of different lengths and decode one token of each; shape (rows, vocabulary)."""
    rows = []
    for tokens in _TRIAL_ROWS:
        caches = make_row_caches()
        network(mx.array([tokens]), cache=caches)
        rows.append(caches)
    merged = [type(layer[0]).merge(layer) for layer in zip(*rows, strict=True)]
    prepare_for_decoding(merged, takes_ragged_rows=takes_ragged_rows)
    logits: mx.array = network(mx.array([[1]] * len(rows)), cache=merged)[:, -1]
    mx.eval(logits)
    return logits


def _agree(fast: mx.array, slow: mx.array) -> bool:
    agree = bool((mx.abs(fast - slow).max() <= _TOLERANCE * mx.abs(slow).max()).item())
    if not agree:
        logger.warning("Rows of different lengths are decoded with masks: without them the model computes otherwise")
    return agree
