import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cortex_adapters.mlx.context_window import DEFAULT_CONTEXT_WINDOW, context_window_of
from cortex_adapters.mlx.device import memory_use
from cortex_adapters.mlx.memory_guard import MemoryGuard
from cortex_adapters.mlx.model_loading import load_language_model
from cortex_domain.errors import InsufficientMemoryError, InvalidModelError
from cortex_domain.language_models import ModelFiles
from tests.adapters.mlx.tiny_model import TINY_CONTEXT_WINDOW, TINY_MODEL


@pytest.fixture
def files(tiny_files: ModelFiles, tmp_path: Path) -> ModelFiles:
    directory = tmp_path / "model"
    shutil.copytree(tiny_files.directory, directory)
    return replace(tiny_files, directory=directory)


def test_what_is_loaded_is_described(files: ModelFiles) -> None:
    loaded = load_language_model(files).as_loaded()
    assert loaded.id == TINY_MODEL
    assert loaded.context_window == TINY_CONTEXT_WINDOW
    assert 0.5 * files.size_bytes < loaded.memory_bytes <= files.size_bytes


def _cut_in_half(directory: Path) -> None:
    weights = directory / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def _damage_json(directory: Path) -> None:
    (directory / "config.json").write_text('{"model_type": ')


def _set_config(**values: object) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def _remove(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def _name_custom_code(directory: Path) -> None:
    (directory / "evil.py").write_text(f"open({str(directory / 'ran')!r}, 'w').close()")
    _set_config(model_file="evil.py", auto_map={"AutoModelForCausalLM": "evil.Model"})(directory)


@pytest.mark.parametrize(
    "damage",
    [
        _cut_in_half,
        _damage_json,
        _remove("config.json"),
        _remove("model.safetensors"),
        _remove("tokenizer.json"),
        _set_config(model_type="no_such_architecture"),
        _set_config(hidden_size=64),
        _name_custom_code,
    ],
)
def test_files_that_make_no_model_are_refused_with_a_reason(files: ModelFiles, damage: Callable[[Path], None]) -> None:
    directory = Path(files.directory)
    damage(directory)
    with pytest.raises(InvalidModelError) as refusal:
        load_language_model(files)
    assert refusal.value.model_id == TINY_MODEL
    assert refusal.value.reason
    assert "\n" not in refusal.value.message
    assert not (directory / "ran").exists()


def test_a_model_that_does_not_fit_is_refused_before_its_weights_are_read(files: ModelFiles) -> None:
    _cut_in_half(Path(files.directory))
    guard = MemoryGuard(limit_bytes=memory_use().active_bytes + 1000)
    with pytest.raises(InsufficientMemoryError) as refusal:
        load_language_model(files, guard=guard)
    assert refusal.value.available_bytes == 1000
    assert refusal.value.required_bytes > (Path(files.directory) / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("config", "window"),
    [
        ({"max_position_embeddings": 8192}, 8192),
        ({"text_config": {"max_position_embeddings": 32768}}, 32768),
        ({"n_positions": 1024}, 1024),
        ({"max_position_embeddings": None, "text_config": None}, DEFAULT_CONTEXT_WINDOW),
        ({}, DEFAULT_CONTEXT_WINDOW),
    ],
)
def test_the_context_window_is_read_from_the_configuration(config: dict[str, object], window: int) -> None:
    assert context_window_of(config) == window
