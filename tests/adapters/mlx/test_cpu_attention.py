"""On a CPU long prompts are attended to faster, with the same result."""

from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest
from mlx_lm.models import base, llama

from cortex_adapters.mlx import cpu_attention
from cortex_adapters.mlx.cpu_attention import MIN_SCORES, attend, softmax
from cortex_adapters.mlx.device import current_device
from cortex_adapters.mlx.model_loading import load_language_model
from cortex_domain.engine_status import Device
from cortex_domain.language_models import ModelFiles

pytestmark = pytest.mark.skipif(current_device() is not Device.CPU, reason="it is for CPUs")


def _normal(*shape: int, seed: int) -> mx.array:
    return mx.random.normal(shape, key=mx.random.key(seed))


def _inputs(
    *, rows: int = 2, heads: int = 6, tokens: int = 40, known: int = 120
) -> tuple[mx.array, mx.array, mx.array]:
    # A cache hands out the beginning of what it has allocated.
    keys, values = (_normal(rows, 2, known + 9, 32, seed=seed)[..., :known, :] for seed in (2, 3))
    return 3 * _normal(rows, heads, tokens, 32, seed=1), keys, values


def _both(mask: Any, **shape: int) -> tuple[mx.array, mx.array]:
    queries, keys, values = _inputs(**shape)
    assert queries.size // 32 * keys.shape[2] >= MIN_SCORES
    return (
        attend(queries, keys, values, None, 0.2, mask),
        base.scaled_dot_product_attention(queries, keys, values, cache=None, scale=0.2, mask=mask),
    )


LEFT_PADDED = (mx.arange(80, 120)[:, None] >= mx.arange(120)) & (
    mx.array([0, 30])[:, None, None, None] <= mx.arange(120)
)
ADDED = mx.where(mx.arange(80, 120)[:, None] >= mx.arange(120), 0.0, -3.0)


@pytest.mark.parametrize("mask", [None, "causal", LEFT_PADDED, ADDED])
def test_it_is_mlxs_own_result(mask: object) -> None:
    fast, slow = _both(mask)
    assert fast.shape == slow.shape
    assert mx.allclose(fast, slow, atol=2e-6)


@pytest.mark.parametrize("heads", [2, 4, 14])
def test_any_number_of_queries_may_share_keys(heads: int) -> None:
    fast, slow = _both("causal", heads=heads, tokens=110)
    assert mx.allclose(fast, slow, atol=2e-6)


def test_one_token_attends_to_a_long_past() -> None:
    fast, slow = _both(None, rows=3, tokens=1, known=4000)
    assert mx.allclose(fast, slow, atol=2e-6)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 30.0, 1e4])
def test_the_softmax_is_mlxs_own_whatever_the_scores_are(spread: float) -> None:
    scores = spread * _normal(5, 999, seed=4)
    assert mx.allclose(softmax(scores), mx.softmax(scores, axis=-1, precise=True), atol=1e-7, rtol=1e-6)


def test_a_row_of_which_all_is_masked_is_finite_like_mlxs() -> None:
    assert mx.allclose(softmax(mx.full((2, 10), mx.finfo(mx.float32).min)), mx.full((2, 10), 0.1))


@pytest.mark.parametrize(
    ("shape", "dtype", "cache"),
    [({"tokens": 2}, mx.float32, None), ({}, mx.bfloat16, None), ({}, mx.float32, SimpleNamespace(bits=8))],
)
def test_the_rest_is_left_to_mlx_lm(
    monkeypatch: pytest.MonkeyPatch, shape: dict[str, int], dtype: mx.Dtype, cache: object
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(base, "scaled_dot_product_attention", lambda *given, **_: seen.append(given))
    queries, keys, values = (array.astype(dtype) for array in _inputs(**shape))
    attend(queries, keys, values, cache, 0.2, None)
    assert len(seen) == 1


def test_sinks_are_left_to_mlx_lm(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(base, "scaled_dot_product_attention", lambda *given, **_: seen.append(given))
    attend(*_inputs(), None, 0.2, None, sinks=mx.zeros(6))
    assert len(seen) == 1


def test_a_loaded_model_uses_it(tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = cpu_attention._attend

    def look(queries: mx.array, keys: mx.array, values: mx.array, mask: object) -> mx.array:
        seen.append(keys.shape[2])
        return original(queries, keys, values, mask)

    monkeypatch.setattr(llama, "scaled_dot_product_attention", base.scaled_dot_product_attention)
    monkeypatch.setattr(cpu_attention, "_attend", look)
    network = load_language_model(tiny_files).network
    tokens = mx.arange(300)[None] % 256
    fast = network(tokens)
    monkeypatch.setattr(llama, "scaled_dot_product_attention", base.scaled_dot_product_attention)
    assert mx.allclose(fast, network(tokens), atol=1e-5)
    assert seen == [300, 300]
