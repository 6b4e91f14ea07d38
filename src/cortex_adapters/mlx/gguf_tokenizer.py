"""The tokenizer that a GGUF file keeps as lists in its metadata, as the files that `transformers` reads."""

from collections.abc import Mapping
from typing import Any

_CONTROL_TOKEN = 3
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_SPECIAL_TOKENS = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def tokenizer_json(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Builds `tokenizer.json`: byte-level BPE that splits words as SmolLM does, every digit by itself."""
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "added_tokens": _control_tokens(metadata),
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, _BYTE_LEVEL]},
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "vocab": {token: token_id for token_id, token in enumerate(metadata["tokenizer.ggml.tokens"])},
            "merges": [merge.split(" ") for merge in metadata["tokenizer.ggml.merges"]],
        },
    }


def tokenizer_config_json(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Builds `tokenizer_config.json`: the special tokens' roles and the chat template."""
    tokens = metadata["tokenizer.ggml.tokens"]
    return {
        # A class named after a model builds a pre-tokenizer of its own; this one keeps that of tokenizer.json.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": int(metadata["llama.context_length"]),
        "clean_up_tokenization_spaces": False,
        "chat_template": metadata["tokenizer.chat_template"],
        **{role: tokens[int(metadata[f"tokenizer.ggml.{key}_token_id"])] for role, key in _SPECIAL_TOKENS.items()},
    }


def _control_tokens(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    matching = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    kinds = metadata["tokenizer.ggml.token_type"].tolist()
    tokens = enumerate(zip(metadata["tokenizer.ggml.tokens"], kinds, strict=True))
    return [
        {"id": token_id, "content": token, **matching} for token_id, (token, kind) in tokens if kind == _CONTROL_TOKEN
    ]
