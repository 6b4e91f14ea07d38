"""A language model that says what it is told to: each token follows the one before it, whatever came earlier."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models import llama

from cortex_domain.language_models import ModelFiles, ModelId
from tests.adapters.mlx.tiny_model import write_json, write_tokenizer

_CERTAINTY = 10.0
"""Times the root of the hidden size, what the logit of the next token is above all others."""


def write_scripted_model(
    directory: Path, model_id: ModelId, *, script: str, marks: Sequence[str], chat_template: str
) -> ModelFiles:
    """Writes the model and returns its files.

    The embedding of a token is its own direction, the layers add nothing, and the head turns it to the next token.

    Args:
        directory: Where to write, empty.
        model_id: Its name.
        script: What follows what; no token may occur twice in it. A prompt that ends within it goes on from there.
        marks: Texts that are a token each; the other tokens are bytes.
        chat_template: Jinja source.
    """
    tokenizer = write_tokenizer(directory, marks=marks, chat_template=chat_template)
    size = tokenizer.get_vocab_size()
    config: dict[str, Any] = {
        "model_type": "llama",
        "hidden_size": size + size % 2,
        "num_hidden_layers": 1,
        "intermediate_size": 8,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "rms_norm_eps": 1e-5,
        "vocab_size": size,
        "max_position_embeddings": 512,
        "tie_word_embeddings": False,
    }
    end = tokenizer.token_to_id("<|end|>")
    write_json(directory / "config.json", config | {"eos_token_id": end})
    network = llama.Model(llama.ModelArgs(**config))
    weights = {name: mx.zeros_like(weight) for name, weight in dict(tree_flatten(network.parameters())).items()}
    weights["model.embed_tokens.weight"] = mx.eye(size, config["hidden_size"])
    weights["model.norm.weight"] = mx.ones(config["hidden_size"])
    weights["lm_head.weight"] = _head(tokenizer.encode(script).ids, size, config["hidden_size"])
    mx.save_safetensors(str(directory / "model.safetensors"), weights, metadata={"format": "mlx"})
    size_bytes = sum(path.stat().st_size for path in directory.iterdir())
    return ModelFiles(model_id=model_id, directory=directory, revision=None, size_bytes=size_bytes)


def _head(script: Sequence[int], size: int, hidden_size: int) -> mx.array:
    assert len(set(script)) == len(script), "a token of the script would have two that follow it"
    head = [[0.0] * hidden_size for _ in range(size)]
    for token, following in itertools.pairwise(script):
        head[following][token] = _CERTAINTY
    return mx.array(head)
