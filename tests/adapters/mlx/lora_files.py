"""Low-rank weights as mlx-lm's training leaves them, without the training."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import load_model

from cortex_domain.language_models import ModelFiles

RANK = 2
KEYS = ["self_attn.q_proj", "mlp.down_proj"]


def write_lora_weights(directory: Path, files: ModelFiles, *, strength: float, use_dora: bool = False) -> Path:
    """Writes weights for a model's last layer; those of strength 0 change nothing, as before training."""
    network, _ = load_model(Path(files.directory), lazy=True)
    network.freeze()
    parameters: dict[str, Any] = {"rank": RANK, "scale": 20.0, "dropout": 0.0, "keys": KEYS}
    linear_to_lora_layers(network, 1, parameters, use_dora=use_dora)
    weights = dict(tree_flatten(network.trainable_parameters()))
    for number, name in enumerate(sorted(weights)):
        if name.endswith("lora_b"):
            weights[name] = strength * mx.random.normal(weights[name].shape, key=mx.random.key(number))
    write_config(directory, fine_tune_type="dora" if use_dora else "lora", num_layers=1, lora_parameters=parameters)
    mx.save_safetensors(str(directory / "adapters.safetensors"), weights)
    return directory


def write_config(directory: Path, **config: Any) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "adapter_config.json").write_text(json.dumps(config))
