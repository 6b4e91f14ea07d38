"""What is faster on CUDA computes the same; the kernel itself is replaced by plain MLX where there is no CUDA."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten
from mlx_lm.models import base, llama

from cortex_adapters.mlx import model_loading, ragged_attention
from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.device import current_device
from cortex_adapters.mlx.fast_decoding import speed_up_decoding
from cortex_adapters.mlx.joint_projections import join_projections
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_adapters.mlx.ragged_attention import RaggedRows, attend
from cortex_domain.engine_status import Device
from cortex_domain.generation import SamplingParameters
from tests.adapters.mlx.tiny_model import write_tiny_model

PROMPTS = ([7, 1, 9], [*range(40)], [5], [*range(90, 20, -1)])
LAYERS = 2
ATTENTION = "scaled_dot_product_attention"


@pytest.fixture(autouse=True)
def _the_attention_of_mlx_lm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has each test begin with mlx-lm's own, as on a device for which nothing is changed, and puts it back."""
    monkeypatch.setattr(llama, ATTENTION, base.scaled_dot_product_attention)
    monkeypatch.setattr(model_loading, "current_device", lambda: Device.METAL)


@pytest.fixture
def model(tmp_path: Path) -> LanguageModel:
    """One whose heads the kernel computes."""
    return load_language_model(write_tiny_model(tmp_path, head_dim=64))


def _plain_kernel(
    queries: mx.array, keys: mx.array, values: mx.array, left_padding: mx.array, scale: float
) -> mx.array:
    mask = left_padding[:, None, None, None] <= mx.arange(keys.shape[2])
    attended: mx.array = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=scale, mask=mask)
    return attended


def _kernel_that_sees_padding(
    queries: mx.array, keys: mx.array, values: mx.array, _left_padding: mx.array, scale: float
) -> mx.array:
    attended: mx.array = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=scale)
    return attended


def _answers(model: LanguageModel, prompts: tuple[list[int], ...] = PROMPTS) -> list[list[int]]:
    generator: Any = LeanBatchGenerator(model, rows=8)
    uids = [
        generator.insert_row(
            prompt,
            max_tokens=20 + 4 * number,
            sampler=RowSampler(SamplingParameters(temperature=0)),
            logits_processors=[],
        )
        for number, prompt in enumerate(prompts)
    ]
    tokens: dict[int, list[int]] = {uid: [] for uid in uids}
    while generator.decoding_rows or generator.prompt_rows:
        for response in generator.next()[1]:
            tokens[response.uid].append(response.token)
    return list(tokens.values())


def _masks_of(model: LanguageModel, monkeypatch: pytest.MonkeyPatch, prompts: tuple[list[int], ...]) -> list[object]:
    """Lists the masks with which single tokens are decoded."""
    masks: list[object] = []
    original = getattr(llama, ATTENTION)

    def look(queries: mx.array, *arguments: Any, **options: Any) -> mx.array:
        if queries.shape[2] == 1:
            masks.append(options["mask"])
        attended: mx.array = original(queries, *arguments, **options)
        return attended

    with monkeypatch.context() as patches:
        patches.setattr(llama, ATTENTION, look)
        _answers(model, prompts)
    return masks


def test_rows_of_one_length_need_no_mask(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(_masks_of(model, monkeypatch, ([1, 2, 3],))) == {None}
    assert set(_masks_of(model, monkeypatch, ([1, 2, 3], [4, 5, 6]))) == {None}


def test_a_row_that_is_left_alone_needs_no_mask_any_more(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = _masks_of(model, monkeypatch, PROMPTS)
    assert any(isinstance(mask, mx.array) for mask in masks)
    assert masks[-1] is None  # the last one goes on when the shorter answers have ended


def test_joint_projections_answer_the_same_and_take_no_more_memory(model: LanguageModel) -> None:
    before, nbytes = _answers(model), _nbytes(model)
    assert join_projections(model.network) == 2 * LAYERS
    assert type(model.network.layers[0].self_attn.q_proj) is not Linear
    assert _answers(model) == before
    assert _nbytes(model) == nbytes
    assert join_projections(model.network) == 0


def _nbytes(model: LanguageModel) -> int:
    weights: dict[str, mx.array] = dict(tree_flatten(model.network.parameters()))
    return sum(weight.nbytes for weight in weights.values())


def test_projections_may_be_asked_for_in_any_order_and_of_any_input(model: LanguageModel) -> None:
    attention = model.network.layers[0].self_attn
    inputs = [mx.random.normal((1, 3, 32), key=mx.random.key(seed)) for seed in (1, 2)]
    expected = [[attention[name](x) for name in ("q_proj", "k_proj", "v_proj")] for x in inputs]
    join_projections(model.network)
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    for index, x in ((2, 0), (2, 0), (0, 1), (1, 0), (1, 1), (0, 0)):
        assert mx.allclose(parts[index](inputs[x]), expected[x][index], atol=1e-5)


def test_quantised_layers_stay_as_they_are(model: LanguageModel) -> None:
    quantize(model.network, group_size=32, bits=4)
    assert join_projections(model.network) == 0


def test_biases_are_joined_too(tmp_path: Path) -> None:
    model = load_language_model(write_tiny_model(tmp_path, attention_bias=True, mlp_bias=True))
    before = _answers(model)
    assert join_projections(model.network) == 2 * LAYERS
    assert _answers(model) == before


def test_rows_of_different_lengths_answer_the_same_without_masks(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _answers(model)
    monkeypatch.setattr(ragged_attention, "_run_kernel", _plain_kernel)
    assert speed_up_decoding(model.network, model.make_row_caches)
    fast = replace(model, takes_ragged_rows=True)
    assert any(isinstance(mask, RaggedRows) for mask in _masks_of(fast, monkeypatch, PROMPTS))
    assert _answers(fast) == before


def _raise(*_: object) -> mx.array:
    raise RuntimeError("no such device")


@pytest.mark.parametrize("kernel", [_kernel_that_sees_padding, _raise])
def test_a_kernel_that_does_not_do_what_masks_do_is_not_used(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, kernel: Callable[..., mx.array]
) -> None:
    monkeypatch.setattr(ragged_attention, "_run_kernel", kernel)
    assert not speed_up_decoding(model.network, model.make_row_caches)


def test_heads_of_another_size_keep_their_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_language_model(write_tiny_model(tmp_path))
    monkeypatch.setattr(ragged_attention, "_run_kernel", _plain_kernel)
    assert not speed_up_decoding(model.network, model.make_row_caches)


def test_long_rows_keep_their_masks(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_adapters.mlx.decoding_cache.MAX_RAGGED_TOKENS", 50)
    monkeypatch.setattr(ragged_attention, "_run_kernel", _plain_kernel)
    speed_up_decoding(model.network, model.make_row_caches)
    masks = _masks_of(replace(model, takes_ragged_rows=True), monkeypatch, ([1, 2, 3], [*range(40)]))
    kinds = [type(mask) for mask in masks if mask is not None]
    assert kinds.index(mx.array) > kinds.index(RaggedRows)


@pytest.mark.skipif(current_device() is not Device.CUDA, reason="the kernel is written for CUDA")
@pytest.mark.parametrize("head_size", [64, 96, 128])
@pytest.mark.parametrize("tokens", [1, 31, 300, 4000])
def test_the_kernel_computes_masked_attention(head_size: int, tokens: int) -> None:
    shapes = ((3, 6, 1, head_size), (3, 2, tokens + 7, head_size), (3, 2, tokens + 7, head_size))
    queries, keys, values = (mx.random.normal(shape).astype(mx.bfloat16) for shape in shapes)
    keys, values = keys[..., :tokens, :], values[..., :tokens, :]
    left_padding = mx.array([0, tokens // 2, tokens - 1])
    fast = attend(queries, keys, values, None, 0.1, RaggedRows(left_padding=left_padding))
    assert mx.allclose(fast, _plain_kernel(queries, keys, values, left_padding, 0.1), atol=2e-2)
