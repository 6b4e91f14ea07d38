"""Opens a model's files with mlx-lm, never running code that came with them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_lm.tokenizer_utils import TokenizerWrapper
from mlx_lm.tokenizer_utils import load as load_tokenizer
from mlx_lm.utils import load_config, load_model

from cortex_adapters.mlx.device import release_cached_memory
from cortex_domain.errors import InvalidModelError
from cortex_domain.language_models import ModelId


@contextmanager
def blaming_the_files(model_id: ModelId, /) -> Iterator[None]:
    """Makes an `InvalidModelError` of whatever mlx-lm, transformers and MLX raise when files make them stumble."""
    try:
        yield
    except Exception as error:
        release_cached_memory()
        raise InvalidModelError(model_id=model_id, reason=_as_reason(error)) from error


def open_model(directory: Path, /) -> tuple[Any, TokenizerWrapper, Mapping[str, Any]]:
    """Makes mlx-lm's module, its tokenizer and its configuration; the weights are on disk still."""
    config = load_config(directory)
    network, _ = load_model(directory, lazy=True, trust_remote_code=False)
    tokenizer = load_tokenizer(directory, {"trust_remote_code": False}, eos_token_ids=config.get("eos_token_id"))
    return network, tokenizer, config


def read_weights(network: Any, /) -> None:  # noqa: ANN401 - mlx-lm's module
    """Brings all weights into memory."""
    network.eval()
    mx.eval(network.parameters())


def _as_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"one of its JSON files is damaged ({error})"
    first_line = str(error).partition("\n")[0] or type(error).__name__
    return f"mlx-lm cannot load it ({first_line.rstrip('.')})"
