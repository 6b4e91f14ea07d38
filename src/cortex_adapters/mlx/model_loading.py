"""Loads a model's files with mlx-lm, never running code that came with them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tokenizer_utils import TokenizerWrapper
from mlx_lm.tokenizer_utils import load as load_tokenizer
from mlx_lm.utils import load_config, load_model

from cortex_adapters.mlx.device import available_memory_bytes, release_cached_memory
from cortex_adapters.mlx.lora_weights import add_lora_weights
from cortex_domain.errors import InsufficientMemoryError, InvalidModelError
from cortex_domain.language_models import LoadedModel, LoadOptions, ModelFiles, ModelId

DEFAULT_CONTEXT_WINDOW = 4096
"""Tokens; taken for a model whose configuration names no window, which recurrent models may omit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A model in memory with its tokenizer.

    Attributes:
        id: The model.
        network: mlx-lm's module; maps token ids, shape (rows, tokens), to logits, shape (rows, tokens, vocabulary).
        tokenizer: mlx-lm's wrapper of the model's tokenizer.
        context_window: Tokens that prompt and answer may have together.
        vocabulary_size: Number of token ids that the tokenizer knows.
        special_texts: Texts that the tokenizer turns into control tokens.
        memory_bytes: Sum of the weights' sizes in memory, in bytes.
        options: How it was loaded.
    """

    id: ModelId
    network: Any
    tokenizer: TokenizerWrapper
    context_window: int
    vocabulary_size: int
    special_texts: frozenset[str]
    memory_bytes: int
    options: LoadOptions

    def as_loaded(self) -> LoadedModel:
        """Describes it to the domain."""
        return LoadedModel(
            id=self.id, memory_bytes=self.memory_bytes, context_window=self.context_window, options=self.options
        )


def load_language_model(files: ModelFiles, options: LoadOptions = LoadOptions(), /) -> LanguageModel:
    """Loads a model, with all weights in memory when it returns.

    Raises:
        InsufficientMemoryError: The weights are larger than the memory that is free.
        InvalidModelError: mlx-lm cannot make a model of these files.
        LoadOptionRefusedError: An option does not fit the model; its weights were not read.
    """
    directory = Path(files.directory)
    _require_memory(files.model_id, directory)
    with _translated(files.model_id):
        network, tokenizer, config = _open(directory)
    if options.lora_weights is not None:
        add_lora_weights(network, Path(options.lora_weights), model_id=files.model_id)
    with _translated(files.model_id):
        _read_weights(network)
    return LanguageModel(
        id=files.model_id,
        network=network,
        tokenizer=tokenizer,
        context_window=context_window_of(config),
        vocabulary_size=len(tokenizer),
        special_texts=_special_texts_of(tokenizer),
        memory_bytes=sum(weight.nbytes for weight in dict(tree_flatten(network.parameters())).values()),
        options=options,
    )


def context_window_of(config: Mapping[str, Any], /) -> int:
    """Reads the context window, in tokens, from a `config.json`, also where a text model is nested in another."""
    for section in (config, config.get("text_config") or {}):
        for name in ("max_position_embeddings", "n_positions", "max_seq_len", "model_max_length"):
            window = section.get(name)
            if isinstance(window, int) and window > 0:
                return window
    return DEFAULT_CONTEXT_WINDOW


def _require_memory(model_id: ModelId, directory: Path) -> None:
    required_bytes = sum(path.stat().st_size for path in directory.glob("*.safetensors"))
    available_bytes = available_memory_bytes()
    if required_bytes > available_bytes:
        raise InsufficientMemoryError(model_id=model_id, required_bytes=required_bytes, available_bytes=available_bytes)


@contextmanager
def _translated(model_id: ModelId) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # mlx-lm, transformers and MLX raise whatever the files made them stumble on.
        release_cached_memory()
        raise InvalidModelError(model_id=model_id, reason=_as_reason(error)) from error


def _open(directory: Path) -> tuple[Any, TokenizerWrapper, Mapping[str, Any]]:
    """Makes the model and its tokenizer; the weights are on disk still."""
    config = load_config(directory)
    network, _ = load_model(directory, lazy=True, trust_remote_code=False)
    tokenizer = load_tokenizer(directory, {"trust_remote_code": False}, eos_token_ids=config.get("eos_token_id"))
    return network, tokenizer, config


def _special_texts_of(tokenizer: Any) -> frozenset[str]:  # noqa: ANN401 - the wrapper hands on the tokenizer's own
    added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    return frozenset(added | set(tokenizer.all_special_tokens))


def _read_weights(network: Any) -> None:  # noqa: ANN401 - mlx-lm's module
    network.eval()
    mx.eval(network.parameters())


def _as_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"one of its JSON files is damaged ({error})"
    first_line = str(error).partition("\n")[0] or type(error).__name__
    return f"mlx-lm cannot load it ({first_line.rstrip('.')})"
