"""LoRA weights change what a model says, and what does not fit is refused before anything is read."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.model_loader import MlxModelLoader
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_domain.errors import InvalidModelError, LoadOptionRefusedError, ModelLoadedOtherwiseError
from cortex_domain.language_models import LoadOptions, ModelFiles, ModelId
from tests.adapters.mlx.engine_jobs import run
from tests.adapters.mlx.lora_files import KEYS, RANK, write_config, write_lora_weights
from tests.adapters.mlx.tiny_model import TINY_MODEL

PROMPT = [[5, 80, 7, 200, 12, 90]]


def _logits(model: LanguageModel) -> mx.array:
    logits: mx.array = model.network(mx.array(PROMPT))
    return logits


def _load(files: ModelFiles, directory: Path) -> LanguageModel:
    return load_language_model(files, LoadOptions(lora_weights=directory))


@pytest.mark.parametrize("use_dora", [False, True], ids=["lora", "dora"])
def test_trained_weights_change_the_logits_and_untrained_ones_do_not(
    tiny_files: ModelFiles, tmp_path: Path, *, use_dora: bool
) -> None:
    plain = load_language_model(tiny_files)
    untrained = _load(tiny_files, write_lora_weights(tmp_path / "a", tiny_files, strength=0, use_dora=use_dora))
    trained = _load(tiny_files, write_lora_weights(tmp_path / "b", tiny_files, strength=0.1, use_dora=use_dora))
    assert mx.allclose(_logits(untrained), _logits(plain), atol=1e-5)
    assert not mx.allclose(_logits(trained), _logits(plain), atol=1e-2)
    assert trained.memory.weights_bytes > plain.memory.weights_bytes


def test_low_rank_weights_are_what_they_say(tiny_files: ModelFiles, tmp_path: Path) -> None:
    """Adds scale * (A B) to the model's own matrices by hand."""
    directory = write_lora_weights(tmp_path, tiny_files, strength=0.1)
    expected = load_language_model(tiny_files)
    weights: Any = mx.load(str(directory / "adapters.safetensors"))
    for key in KEYS:
        block, name = key.split(".")
        linear = expected.network.layers[-1][block][name]
        a, b = (weights[f"model.layers.1.{key}.{leaf}"] for leaf in ("lora_a", "lora_b"))
        linear.weight = linear.weight + 20.0 * (a @ b).T
    assert mx.allclose(_logits(_load(tiny_files, directory)), _logits(expected), atol=1e-4)


def test_whole_layers_replace_those_of_the_model(tiny_files: ModelFiles, tmp_path: Path) -> None:
    expected = load_language_model(tiny_files)
    linear = expected.network.layers[0].mlp.up_proj
    linear.weight = linear.weight + 0.5
    write_config(tmp_path, fine_tune_type="full", num_layers=1)
    mx.save_safetensors(str(tmp_path / "adapters.safetensors"), {"model.layers.0.mlp.up_proj.weight": linear.weight})
    assert mx.array_equal(_logits(_load(tiny_files, tmp_path)), _logits(expected))


def _change_weights(change: Callable[[dict[str, mx.array]], object]) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        path = str(directory / "adapters.safetensors")
        weights: Any = mx.load(path)
        mx.eval(weights)
        change(weights)
        mx.save_safetensors(path, weights)

    return damage


def _set_config(**config: object) -> Callable[[Path], None]:
    parameters = {"rank": RANK, "scale": 20.0, "dropout": 0.0, "keys": KEYS}
    usual = {"fine_tune_type": "lora", "num_layers": 1, "lora_parameters": parameters}
    return lambda directory: write_config(directory, **usual | config)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def _cut_in_half(directory: Path) -> None:
    path = directory / "adapters.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _make_pipe(directory: Path) -> None:
    path = directory / "adapters.safetensors"
    path.unlink()
    os.mkfifo(path)


def _write_nonsense(directory: Path) -> None:
    (directory / "adapters.safetensors").write_bytes(b"PK\x03\x04 this is a zip, or so it says")


Q_LORA_A = "model.layers.1.self_attn.q_proj.lora_a"
PARAMETERS = {"rank": RANK, "scale": 20.0, "dropout": 0.0, "keys": KEYS}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_remove("adapter_config.json"), "there is no adapter_config.json"),
        (_remove("adapters.safetensors"), "there is no adapters.safetensors"),
        (_make_pipe, "there is no adapters.safetensors"),
        (_cut_in_half, "cannot read it"),
        (_write_nonsense, "cannot read it"),
        (lambda directory: (directory / "adapter_config.json").write_text("{"), "not one of mlx-lm's"),
        (_set_config(fine_tune_type="prefix"), "fine_tune_type: Input should be 'lora', 'dora' or 'full'"),
        (_set_config(lora_parameters=None), "lacks lora_parameters"),
        (_set_config(lora_parameters={"rank": 2}), "lora_parameters.scale"),
        (_set_config(lora_parameters=PARAMETERS | {"rank": 4}), r"shape \(64, 2\), and the model needs \(64, 4\)"),
        (_set_config(lora_parameters=PARAMETERS | {"rank": 10**9}), "cannot read it|needs"),
        (_set_config(lora_parameters=PARAMETERS | {"keys": KEYS[:1]}), "no place for 'model.layers.1.mlp.down_proj"),
        (_set_config(num_layers=2), r"'model.layers.0.mlp.down_proj.lora_a', of shape .* is not among the weights"),
        (_set_config(fine_tune_type="full"), "no place for"),
        (_change_weights(lambda weights: weights.clear()), "is empty"),
        (_change_weights(lambda weights: weights.pop(Q_LORA_A)), f"'{Q_LORA_A}', of shape .* is not among"),
        (
            _change_weights(lambda weights: weights.update(extra=mx.zeros((3,)))),
            r"no place for 'extra', of shape \(3,\)",
        ),
        (
            _change_weights(lambda weights: weights.update({Q_LORA_A: mx.zeros((7, 2))})),
            rf"'{Q_LORA_A}' has the shape \(7, 2\), and the model needs \(32, 2\)",
        ),
        (
            _change_weights(lambda weights: weights.update({Q_LORA_A: mx.zeros((32, 2), dtype=mx.int32)})),
            "holds mlx.core.int32",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    tiny_files: ModelFiles, tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    directory = write_lora_weights(tmp_path, tiny_files, strength=0.1)
    damage(directory)
    with pytest.raises(LoadOptionRefusedError, match=reason) as refusal:
        _load(tiny_files, directory)
    assert refusal.value.parameter == "lora_weights"
    assert refusal.value.model_id == TINY_MODEL
    assert "\n" not in refusal.value.message
    assert str(directory) not in refusal.value.message


def test_a_damaged_model_is_not_blamed_on_its_lora_weights(tiny_files: ModelFiles, tmp_path: Path) -> None:
    directory = write_lora_weights(tmp_path / "lora", tiny_files, strength=0.1)
    broken = tmp_path / "model"
    broken.mkdir()
    for path in Path(tiny_files.directory).iterdir():
        data = path.read_bytes()
        (broken / path.name).write_bytes(data[: len(data) // 2] if path.suffix == ".safetensors" else data)
    with pytest.raises(InvalidModelError):
        _load(replace(tiny_files, directory=broken), directory)


async def test_a_refusal_leaves_the_model_to_be_loaded_as_it_is(
    host: EngineHost, tiny_files: ModelFiles, tmp_path: Path
) -> None:
    await host.load(tiny_files)
    expected = await run(host)
    await host.unload(TINY_MODEL)
    directory = write_lora_weights(tmp_path, tiny_files, strength=0.1)
    _set_config(num_layers=2)(directory)
    before = host.memory_use.active_bytes
    with pytest.raises(LoadOptionRefusedError):
        await host.load(tiny_files, LoadOptions(lora_weights=directory))
    await host.unload(ModelId("tests/nothing"))
    assert host.memory_use.active_bytes - before < 4096
    assert not host.models
    await host.load(tiny_files)
    assert (await run(host)).text == expected.text


async def test_a_model_is_as_it_was_loaded_until_it_is_unloaded(
    host: EngineHost, tiny_files: ModelFiles, tmp_path: Path
) -> None:
    await host.load(tiny_files)
    plain = await run(host)
    options = LoadOptions(lora_weights=write_lora_weights(tmp_path, tiny_files, strength=0.1))
    with pytest.raises(ModelLoadedOtherwiseError):
        await host.load(tiny_files, options)
    assert (await run(host)).text == plain.text
    await host.unload(TINY_MODEL)
    assert (await host.load(tiny_files, options)).options == options
    tuned = await run(host)
    assert tuned.text != plain.text
    assert (await host.load(tiny_files)).options == options
    assert (await run(host)).text == tuned.text


async def test_of_those_who_load_at_once_with_different_options_the_first_wins(
    host: EngineHost, tiny_files: ModelFiles, tmp_path: Path
) -> None:
    loader = MlxModelLoader(host=host)
    options = [LoadOptions(lora_weights=write_lora_weights(tmp_path / name, tiny_files, strength=0.1)) for name in "ab"]
    loads = [loader.load(tiny_files, wanted) for wanted in (*options, None, options[0])]
    first, other, any_, same = await asyncio.gather(*loads, return_exceptions=True)
    assert isinstance(other, ModelLoadedOtherwiseError)
    assert first == any_ == same
    assert [model.options for model in loader.loaded()] == [options[0]]
