"""What is told from a model's files is what the model takes."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx_lm.models import cohere2, gemma3_text, llama, mamba2, qwen3
from mlx_lm.models.cache import make_prompt_cache

from cortex_adapters.mlx.kv_cache_measurement import measure_kv_cache
from cortex_adapters.mlx.kv_cache_shape import KvCacheShape, read_kv_cache_shape
from cortex_adapters.mlx.memory_guard import FIRST_CHAT_TOKENS
from cortex_adapters.mlx.model_memory import ModelMemory, estimate_model_memory
from cortex_domain.language_models import ModelFiles
from tests.adapters.mlx.tiny_model import TINY_CONTEXT_WINDOW

ATTENTION: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "intermediate_size": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 40,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 1000,
    "tie_word_embeddings": True,
}
MIXED = ["sliding_attention", "full_attention"] * 2
NETWORKS = [
    pytest.param(llama, {"model_type": "llama"}, id="llama"),
    pytest.param(llama, {"model_type": "llama", "layer_types": MIXED, "sliding_window": 200}, id="llama-windows"),
    pytest.param(qwen3, {"model_type": "qwen3", "rope_theta": 1e4}, id="qwen3"),
    pytest.param(
        gemma3_text, {"model_type": "gemma3_text", "sliding_window": 64, "sliding_window_pattern": 3}, id="gemma3"
    ),
    pytest.param(
        cohere2,
        {"model_type": "cohere2", "layer_norm_eps": 1e-5, "sliding_window": 256, "sliding_window_pattern": 4},
        id="cohere2",
    ),
]


def _framed(header: str) -> bytes:
    return len(header).to_bytes(8, "little") + header.encode()


def _network(module: Any, config: dict[str, Any]) -> Any:
    network = module.Model(module.ModelArgs.from_dict(config))
    mx.eval(network.parameters())
    return network


@pytest.mark.parametrize(("module", "changes"), NETWORKS)
def test_a_configuration_tells_what_a_network_is_measured_to_keep(module: Any, changes: dict[str, Any]) -> None:
    config = ATTENTION | changes
    assert measure_kv_cache(_network(module, config)) == read_kv_cache_shape(config, number_bytes=4)


@pytest.mark.parametrize(("module", "changes"), NETWORKS)
@pytest.mark.parametrize("tokens", [1, 300])
def test_a_shape_tells_what_a_sequence_takes(module: Any, changes: dict[str, Any], tokens: int) -> None:
    network = _network(module, ATTENTION | changes)
    caches, shape = make_prompt_cache(network), measure_kv_cache(network)
    for _ in range(tokens):
        network(mx.array([[1]]), cache=caches)
        mx.eval([cache.state for cache in caches])
    assert shape is not None
    assert shape.size_bytes(tokens) == sum(cache.nbytes for cache in caches)


def test_shapes_that_no_configuration_tells_are_measured() -> None:
    states: dict[str, Any] = {
        "model_type": "mamba2",
        "num_heads": 4,
        "head_dim": 8,
        "vocab_size": 40,
        "hidden_size": 16,
        "intermediate_size": 32,
        "state_size": 8,
        "num_hidden_layers": 2,
        "layer_norm_epsilon": 1e-5,
        "conv_kernel": 4,
        "n_groups": 1,
        "use_bias": False,
        "use_conv_bias": True,
        "tie_word_embeddings": True,
        "time_step_limit": (0.0, 1.0),
        "time_step_rank": "auto",
        "ssm_state_size": 8,
        "max_position_embeddings": 9,
    }
    shape = measure_kv_cache(_network(mamba2, states))
    assert read_kv_cache_shape(states, number_bytes=4) is None
    assert shape is not None
    assert shape.bytes_per_token == 0
    assert shape.size_bytes(10_000) == shape.fixed_bytes > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": None},
        {"num_attention_heads": None},
        {"num_key_value_heads": None, "num_attention_heads": "many"},
        {"head_dim": None, "hidden_size": None},
        {"layer_types": ["full_attention"]},
        {"layer_types": ["linear_attention"] * 4},
        {"layer_types": MIXED, "sliding_window": None},
        {"sliding_window_pattern": "LLLG", "sliding_window": 9},
        {"kv_lora_rank": 512},
        {"full_attention_interval": 4},
        {"ssm_cfg": {}},
        {"mamba_d_state": 16},
    ],
)
def test_a_configuration_that_does_not_say_enough_tells_nothing(changes: dict[str, Any]) -> None:
    assert read_kv_cache_shape(ATTENTION, number_bytes=2) is not None
    assert read_kv_cache_shape(ATTENTION | changes, number_bytes=2) is None


def test_heads_and_their_size_follow_from_what_is_named() -> None:
    plain = {"n_layer": 3, "n_head": 4, "n_embd": 40}
    assert read_kv_cache_shape(plain, number_bytes=2) == KvCacheShape(bytes_per_token=3 * 2 * 4 * 10 * 2)
    nested = {"model_type": "seeing", "text_config": plain}
    assert read_kv_cache_shape(nested, number_bytes=2) == read_kv_cache_shape(plain, number_bytes=2)


def test_files_are_estimated_without_being_read(tiny_files: ModelFiles) -> None:
    estimate = estimate_model_memory(Path(tiny_files.directory))
    assert 0.5 * tiny_files.size_bytes < estimate.weights_bytes < tiny_files.size_bytes
    # 2 layers, key and value, 1 head of 16 numbers of 4 bytes.
    assert estimate.as_estimate().kv_cache_bytes_per_token == 2 * 2 * 16 * 4
    assert estimate.as_estimate().full_window_bytes == estimate.weights_bytes + TINY_CONTEXT_WINDOW * 256
    assert estimate.bytes_with_sequence(FIRST_CHAT_TOKENS) == estimate.as_estimate().full_window_bytes


@pytest.mark.parametrize("kind", [mx.bfloat16, mx.float16])
def test_quantised_weights_are_computed_with_in_the_type_of_their_scales(tmp_path: Path, kind: mx.Dtype) -> None:
    (tmp_path / "config.json").write_text(json.dumps(ATTENTION | {"model_type": "llama"}))
    weights, scales, biases = mx.quantize(mx.zeros((64, 64), kind), group_size=32, bits=4)
    tensors = {"a.weight": weights, "a.scales": scales, "a.biases": biases, "norm.weight": mx.zeros((8,), mx.float32)}
    mx.save_safetensors(str(tmp_path / "model-00001-of-00001.safetensors"), tensors)
    estimate = estimate_model_memory(tmp_path)
    assert estimate.weights_bytes == sum(tensor.nbytes for tensor in tensors.values())
    assert estimate.kv_cache is not None
    assert estimate.kv_cache.bytes_per_token == 4 * 2 * 2 * 16 * 2


@pytest.mark.parametrize("content", [b"", b"\x00" * 8, b"\xff" * 20, _framed("[]"), b'\x08\0\0\0\0\0\0\0{"a": 1}'])
def test_headers_that_make_no_sense_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_text(json.dumps(ATTENTION))
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        estimate_model_memory(tmp_path)


def test_what_differs_by_more_than_the_tolerance_does_not_resemble() -> None:
    shape = KvCacheShape(bytes_per_token=100)
    promised = ModelMemory(weights_bytes=1000, kv_cache=shape, context_window=10)
    assert promised.resembles(ModelMemory(weights_bytes=1100, kv_cache=None, context_window=10))
    assert not promised.resembles(ModelMemory(weights_bytes=1300, kv_cache=shape, context_window=10))
    other = ModelMemory(weights_bytes=1000, kv_cache=KvCacheShape(bytes_per_token=200), context_window=10)
    assert not promised.resembles(other)
