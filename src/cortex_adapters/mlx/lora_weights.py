"""Adds low-rank weights to a model: LoRA, DoRA or whole layers, in the files that mlx-lm's training leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cortex_domain.errors import LoadOptionRefusedError
from cortex_domain.language_models import ModelId

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapters.safetensors"

_LOW_RANK_NAMES = {"lora_a", "lora_b", "m"}


class _Misfit(Exception):  # noqa: N818 - never leaves this module
    """Why these files and this model do not go together, as a sentence without its full stop."""


class _LowRank(BaseModel):
    """Shape and strength of the low-rank weights; `keys` names the modules that have them, None all linear ones."""

    model_config = ConfigDict(strict=True)

    rank: Annotated[int, Field(ge=1)]
    scale: float
    dropout: float = 0.0
    keys: list[str] | None = None


class _Config(BaseModel):
    """What is read of `adapter_config.json`; the rest is about the training."""

    model_config = ConfigDict(strict=True)

    fine_tune_type: Literal["lora", "dora", "full"] = "lora"
    num_layers: int = -1
    lora_parameters: _LowRank | None = None


def add_lora_weights(network: Any, directory: Path, /, *, model_id: ModelId) -> None:  # noqa: ANN401 - mlx-lm's module
    """Adds the weights in a directory to a model, all of them or, when they do not fit, none.

    The model's own weights need not be in memory yet; they are not read here.

    Raises:
        LoadOptionRefusedError: The files are missing or damaged, or their names or shapes are not this model's.
    """
    try:
        config = _read_config(directory)
        weights = _open_weights(directory)
        _require_fit(weights, _make_places(network, config), is_whole=config.fine_tune_type != "full")
        mx.eval(weights)
        network.load_weights(list(weights.items()), strict=False)
    except Exception as error:
        # Besides misfits: what mlx-lm and MLX stumble on in the files.
        reason = _as_reason(error).replace(f"{directory}/", "")
        raise LoadOptionRefusedError(model_id=model_id, parameter="lora_weights", reason=reason) from error


def _read_config(directory: Path) -> _Config:
    config = _Config.model_validate_json(_existing(directory / CONFIG_FILE).read_bytes())
    if config.fine_tune_type != "full" and config.lora_parameters is None:
        raise _Misfit(f"{CONFIG_FILE} lacks lora_parameters")
    return config


def _open_weights(directory: Path) -> dict[str, mx.array]:
    weights: Any = mx.load(str(_existing(directory / WEIGHTS_FILE)))
    if not weights:
        raise _Misfit(f"{WEIGHTS_FILE} is empty")
    return dict(weights)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise _Misfit(f"there is no {path.name} in this directory")
    return path


def _make_places(network: Any, config: _Config) -> dict[str, mx.array]:  # noqa: ANN401
    """Makes room for the weights; returns what they take the place of, by name."""
    if config.lora_parameters is None or config.fine_tune_type == "full":
        return dict(tree_flatten(network.parameters()))
    linear_to_lora_layers(
        network, config.num_layers, config.lora_parameters.model_dump(), use_dora=config.fine_tune_type == "dora"
    )
    parameters: dict[str, mx.array] = dict(tree_flatten(network.parameters()))
    return {name: place for name, place in parameters.items() if name.rpartition(".")[2] in _LOW_RANK_NAMES}


def _require_fit(weights: Mapping[str, mx.array], places: Mapping[str, mx.array], *, is_whole: bool) -> None:
    """Checks that each weight has its place and, if the weights have to be whole, each place its weight."""
    for name, weight in sorted(weights.items()):
        if name not in places:
            raise _Misfit(f"the model has no place for {name!r}, of shape {weight.shape}")
        if weight.shape != places[name].shape:
            raise _Misfit(f"{name!r} has the shape {weight.shape}, and the model needs {places[name].shape}")
        if _is_floating(weight) != _is_floating(places[name]):
            raise _Misfit(f"{name!r} holds {weight.dtype}, and the model needs {places[name].dtype}")
    missing = places.keys() - weights.keys()
    if is_whole and missing:
        raise _Misfit(f"{min(missing)!r}, of shape {places[min(missing)].shape}, is not among the weights")


def _is_floating(array: mx.array) -> bool:
    return bool(mx.issubdtype(array.dtype, mx.floating))


def _as_reason(error: Exception) -> str:
    if isinstance(error, _Misfit):
        return str(error)
    if isinstance(error, ValidationError):
        details = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, details["loc"]))
        return f"{CONFIG_FILE} is not one of mlx-lm's ({f'{path}: ' if path else ''}{details['msg']})"
    first_line = str(error).partition("\n")[0] or type(error).__name__
    return f"mlx-lm cannot read it ({first_line.rstrip('.')})"
