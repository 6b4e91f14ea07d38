"""A language model that loads in milliseconds and talks nonsense: random weights, one token a byte."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models import llama
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from cortex_domain.language_models import ModelFiles, ModelId

TINY_MODEL = ModelId("tests/tiny")
TINY_CONTEXT_WINDOW = 512
END_TOKEN = "<|end|>"
END_OF_ANSWER = 256
"""Its id: one more than the bytes'."""
CHAT_TEMPLATE = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}\n{% endfor %}a:"


def write_tiny_model(directory: Path, *, seed: int = 3, **config_changes: Any) -> ModelFiles:
    """Writes the model and returns its files; `config_changes` go over the usual configuration."""
    tokenizer = write_tokenizer(directory)
    config: dict[str, Any] = {
        "model_type": "llama",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rms_norm_eps": 1e-5,
        "vocab_size": tokenizer.get_vocab_size(),
        "max_position_embeddings": TINY_CONTEXT_WINDOW,
        "tie_word_embeddings": False,
        **config_changes,
    }
    write_json(directory / "config.json", config | {"eos_token_id": END_OF_ANSWER})
    mx.random.seed(seed)
    network = llama.Model(llama.ModelArgs(**config))
    weights = dict(tree_flatten(network.parameters()))
    mx.save_safetensors(str(directory / "model.safetensors"), weights, metadata={"format": "mlx"})
    size_bytes = sum(path.stat().st_size for path in directory.iterdir())
    return ModelFiles(model_id=TINY_MODEL, directory=directory, revision=None, size_bytes=size_bytes)


def write_tokenizer(directory: Path, *, marks: Sequence[str] = (), chat_template: str = CHAT_TEMPLATE) -> Tokenizer:
    """Writes a tokenizer of one token a byte, one for the end, and one for each mark."""
    texts = [*sorted(pre_tokenizers.ByteLevel.alphabet()), END_TOKEN, *marks]
    tokenizer = Tokenizer(models.BPE(vocab={text: token for token, text in enumerate(texts)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_TOKEN])
    tokenizer.add_tokens(list(marks))
    tokenizer.save(str(directory / "tokenizer.json"))
    write_json(
        directory / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_TOKEN, "chat_template": chat_template},
    )
    return tokenizer


def write_oversized_model(directory: Path) -> Path:
    """Writes what tells of weights that fit into no memory, and has none of them; returns the directory."""
    directory.mkdir()
    write_tiny_model(directory)
    tensor = {"dtype": "F32", "shape": [2**50], "data_offsets": [0, 2**52]}
    header = json.dumps({"model.norm.weight": tensor}).encode()
    (directory / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    return directory


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
