"""Turns a GGUF file of a Llama-shaped model into a directory that mlx-lm loads.

Run it as `python -m cortex_adapters.mlx.gguf_conversion SOURCE TARGET FORMAT`: MLX keeps the memory that it once had,
and a process gives all of it back. It prints the bytes written so far, one number a line, and ends with status 74
(EX_IOERR) when a file cannot be read or written, with 1 and a traceback for anything else.
"""

import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import mlx.core as mx

from cortex_adapters.mlx.gguf_tokenizer import tokenizer_config_json, tokenizer_json
from cortex_adapters.mlx.gguf_weights import Weights, in_format, mlx_weights, quantization
from cortex_adapters.mlx.weight_format import WeightFormat

_SUPPORTED = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}
_LAYER = re.compile(r"\.layers\.(\d+)\.")
_LAYERS_PER_FILE = 6


def convert(source: Path, target: Path, weight_format: WeightFormat) -> Iterator[int]:
    """Writes the MLX model of a GGUF file, one file a step.

    Args:
        source: A GGUF file with quantised Llama weights, tied embeddings and SmolLM's tokenizer.
        target: An empty directory.
        weight_format: What the weights become.

    Yields:
        The bytes written so far.

    Raises:
        ValueError: The file holds another architecture or tokenizer.
        OSError: A file cannot be read or written.
    """
    tensors, metadata = _read(source)
    _check_support(metadata)
    weights = mlx_weights(
        tensors,
        heads=int(metadata["llama.attention.head_count"]),
        kv_heads=int(metadata["llama.attention.head_count_kv"]),
    )
    files = _write_files(target, metadata, weights, weight_format)
    yield from accumulate(file.stat().st_size for file in files)


def main() -> None:
    """Converts what the command line names."""
    source, target, weight_format = sys.argv[1:]
    mx.set_default_device(mx.cpu)  # the GPU and its memory stay with whoever answers
    try:
        for written_bytes in convert(Path(source), Path(target), WeightFormat(weight_format)):
            sys.stdout.write(f"{written_bytes}\n")
            sys.stdout.flush()
    except OSError as exc:
        sys.stderr.write(f"{exc}\n")
        sys.exit(os.EX_IOERR)


def _read(source: Path) -> tuple[Weights, Mapping[str, Any]]:
    try:
        return cast("tuple[Weights, Mapping[str, Any]]", mx.load(source, return_metadata=True))
    except RuntimeError as exc:
        raise OSError(f"cannot read {source}: {exc}") from exc


def _check_support(metadata: Mapping[str, Any]) -> None:
    for key, supported in _SUPPORTED.items():
        if metadata.get(key) != supported:
            raise ValueError(f"cannot convert a GGUF file whose {key} is {metadata.get(key)!r}")


def _write_files(
    target: Path, metadata: Mapping[str, Any], weights: Weights, weight_format: WeightFormat
) -> Iterator[Path]:
    for name, content in _json_files(metadata, weights, weight_format).items():
        file = target / name
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        yield file
    # Several files, each brought into the format as it is written: never are all weights in memory in full precision.
    parts = _split_by_layers(weights)
    for number, part in enumerate(parts, start=1):
        file = target / f"model-{number:05}-of-{len(parts):05}.safetensors"
        _write_weights(file, in_format(part, weight_format))
        yield file


def _json_files(metadata: Mapping[str, Any], weights: Weights, weight_format: WeightFormat) -> dict[str, Any]:
    quantized = {"quantization": quantization(weights)} if weight_format is WeightFormat.FOUR_BIT else {}
    return {
        "config.json": {**_config_json(metadata), **quantized},
        "tokenizer.json": tokenizer_json(metadata),
        "tokenizer_config.json": tokenizer_config_json(metadata),
    }


def _config_json(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": int(metadata["llama.embedding_length"]),
        "intermediate_size": int(metadata["llama.feed_forward_length"]),
        "num_hidden_layers": int(metadata["llama.block_count"]),
        "num_attention_heads": int(metadata["llama.attention.head_count"]),
        "num_key_value_heads": int(metadata["llama.attention.head_count_kv"]),
        "max_position_embeddings": int(metadata["llama.context_length"]),
        "rms_norm_eps": float(metadata["llama.attention.layer_norm_rms_epsilon"]),
        "rope_theta": float(metadata["llama.rope.freq_base"]),
        "vocab_size": int(metadata["llama.vocab_size"]),
        "tie_word_embeddings": True,
        "bos_token_id": int(metadata["tokenizer.ggml.bos_token_id"]),
        "eos_token_id": int(metadata["tokenizer.ggml.eos_token_id"]),
        "pad_token_id": int(metadata["tokenizer.ggml.padding_token_id"]),
    }


def _split_by_layers(weights: Weights) -> list[Weights]:
    parts: defaultdict[int, Weights] = defaultdict(dict)
    for name, tensor in weights.items():
        layer = _LAYER.search(name)
        parts[-1 if layer is None else int(layer[1]) // _LAYERS_PER_FILE][name] = tensor
    return [parts[number] for number in sorted(parts)]


def _write_weights(file: Path, weights: Weights) -> None:
    try:
        mx.save_safetensors(file, weights, metadata={"format": "mlx"})
    except RuntimeError as exc:
        raise OSError(f"cannot write {file}: {exc}") from exc


if __name__ == "__main__":
    main()
