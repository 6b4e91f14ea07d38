"""The weights of a GGUF file of a Llama-shaped model, as mlx-lm names, orders and types them.

GGUF orders the rows of each query and key head so that neighbours rotate together (0 with 1, 2 with 3, …); mlx-lm
rotates the halves of a head (0 with n/2, 1 with n/2 + 1, …). MLX reads the quantised tensors of a GGUF file as its own
affine quantisation, three arrays each: packed `weight`, and the `scales` and `biases` of groups of 32 values.
"""

import re
from collections.abc import Mapping
from typing import Any

import mlx.core as mx

from cortex_adapters.mlx.weight_format import WeightFormat

Weights = dict[str, mx.array]

_GROUP_SIZE = 32
_TENSOR = re.compile(r"(?:blk\.(?P<layer>\d+)\.)?(?P<module>\w+)\.(?P<part>weight|scales|biases)")
_MODULES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def mlx_weights(tensors: Weights, *, heads: int, kv_heads: int) -> Weights:
    """Renames a GGUF file's tensors and puts their rows into mlx-lm's order.

    Args:
        tensors: What `mx.load` reads from the file.
        heads: Query heads of each layer.
        kv_heads: Key and value heads of each layer.

    Raises:
        ValueError: A tensor is none that this architecture has.
    """
    heads_of = {"attn_q": heads, "attn_k": kv_heads}
    weights = {}
    for name, tensor in tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None or match["module"] not in _MODULES:
            raise ValueError(f"cannot convert the tensor {name!r}")
        rows = _halves_from_neighbours(tensor, heads_of[match["module"]]) if match["module"] in heads_of else tensor
        weights[_mlx_name(match)] = rows
    return weights


def quantization(weights: Weights) -> dict[str, Any]:
    """Describes the weights' quantisation as `config.json` has it: 4 bits, and by name the modules with others."""
    bits = {name.removesuffix(".scales"): _bits(weights, name) for name in weights if name.endswith(".scales")}
    exceptions = {module: {"group_size": _GROUP_SIZE, "bits": width} for module, width in bits.items() if width != 4}
    return {"group_size": _GROUP_SIZE, "bits": 4, **exceptions}


def in_format(weights: Weights, weight_format: WeightFormat) -> Weights:
    """Brings weights of `mlx_weights` into a format; lazily, so the memory is taken when they are written."""
    match weight_format:
        case WeightFormat.FLOAT32:
            return _dequantized(weights)
        case WeightFormat.FOUR_BIT:
            return _with_float32_scales(weights)


def _halves_from_neighbours(rows: mx.array, heads: int) -> mx.array:
    return rows.reshape(heads, -1, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def _mlx_name(match: re.Match[str]) -> str:
    prefix = "" if match["layer"] is None else f"model.layers.{match['layer']}."
    return f"{prefix}{_MODULES[match['module']]}.{match['part']}"


def _bits(weights: Mapping[str, mx.array], scales_name: str) -> int:
    packed = weights[f"{scales_name.removesuffix('.scales')}.weight"]
    return packed.shape[-1] * 32 // (weights[scales_name].shape[-1] * _GROUP_SIZE)


def _dequantized(weights: Weights) -> Weights:
    modules = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    return {f"{module}.weight": _dequantized_module(weights, module).astype(mx.float32) for module in modules}


def _dequantized_module(weights: Weights, module: str) -> mx.array:
    weight = weights[f"{module}.weight"]
    if f"{module}.scales" not in weights:
        return weight
    scales, biases = (weights[f"{module}.{part}"].astype(mx.float32) for part in ("scales", "biases"))
    return mx.dequantize(weight, scales, biases, group_size=_GROUP_SIZE, bits=_bits(weights, f"{module}.scales"))


def _with_float32_scales(weights: Weights) -> Weights:
    # The scales' type becomes that of the arithmetic. Of the halves, float16 is too narrow for a model trained in
    # bfloat16, whose activations reach tens of thousands, and bfloat16 rounds the scales so far that answers change.
    return {
        name: weight if weight.dtype == mx.uint32 else weight.astype(mx.float32) for name, weight in weights.items()
    }
