"""What a model's `config.json` tells without loading the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The part of `config.json` that matters to a store.

    Attributes:
        model_type: The architecture's name; None when the file names none.
        context_window: Tokens that prompt and answer may have together; None when the file does not say.
        quantization: Weight format, for example `4-bit` or `bfloat16`; None when the file does not say.
        code_file: Python file that the model asks to be run for its architecture; None for a model that is only data.
    """

    model_type: str | None = None
    context_window: int | None = None
    quantization: str | None = None
    code_file: str | None = None


def parse_model_config(content: bytes) -> ModelConfig:
    """Reads the content of a `config.json`.

    Raises:
        ValueError: It is no JSON object.
    """
    config = from_json(content)
    if not isinstance(config, dict):
        raise ValueError("config.json holds no JSON object")  # noqa: TRY004 - one error for all bad content
    return ModelConfig(
        model_type=_text(config.get("model_type")),
        context_window=_count(_look_up(config, "max_position_embeddings")),
        quantization=_quantization(config),
        code_file=_text(config.get("model_file")),
    )


def _quantization(config: Mapping[str, Any]) -> str | None:
    for key in ("quantization", "quantization_config"):
        section = config.get(key)
        bits = _count(section.get("bits")) if isinstance(section, dict) else None
        if bits is not None:
            return f"{bits}-bit"
    dtype = _text(_look_up(config, "torch_dtype")) or _text(_look_up(config, "dtype"))
    return dtype.removeprefix("torch.") if dtype else None


def _look_up(config: Mapping[str, Any], key: str) -> object:
    """Finds a value at the top or, as in models that also see or hear, among those of the text part."""
    text_config = config.get("text_config")
    nested = text_config.get(key) if isinstance(text_config, dict) else None
    return config.get(key, nested)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
