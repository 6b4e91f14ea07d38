"""How long a chat with a model may become."""

from collections.abc import Mapping
from typing import Any

DEFAULT_CONTEXT_WINDOW = 4096
"""Tokens; taken for a model whose configuration names no window, which recurrent models may omit."""


def context_window_of(config: Mapping[str, Any], /) -> int:
    """Reads the context window, in tokens, from a `config.json`, also where a text model is nested in another."""
    for section in (config, config.get("text_config") or {}):
        for name in ("max_position_embeddings", "n_positions", "max_seq_len", "model_max_length"):
            window = section.get(name)
            if isinstance(window, int) and window > 0:
                return window
    return DEFAULT_CONTEXT_WINDOW
