"""Puts an attention of ours where mlx-lm's models call its own."""

import sys
from collections.abc import Callable
from typing import Any

import mlx.core as mx
from mlx_lm.models import base

Attention = Callable[..., mx.array]

_NAME = "scaled_dot_product_attention"
"""mlx-lm's models import it by this name."""


def replace_attention(network: Any, attend: Attention, /) -> bool:  # noqa: ANN401 - mlx-lm's module
    """Has the code of a model call `attend`, which takes what mlx-lm's function of this name takes.

    It stays so for all models of this code in this process.

    Returns:
        Whether the model's code has such a place.
    """
    modules = {sys.modules[type(module).__module__] for module in network.modules()}
    calling = [
        module for module in modules if getattr(module, _NAME, None) in (base.scaled_dot_product_attention, attend)
    ]
    for module in calling:
        setattr(module, _NAME, attend)
    return bool(calling)
