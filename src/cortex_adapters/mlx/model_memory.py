"""The memory of one model: as its files promise it, or as it was measured."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cortex_adapters.mlx.context_window import context_window_of
from cortex_adapters.mlx.kv_cache_shape import KvCacheShape, read_kv_cache_shape
from cortex_adapters.mlx.safetensors_headers import read_stored_weights
from cortex_domain.language_models import MemoryEstimate

TOLERANCE = 0.15
"""Share by which what is measured may differ from what the files promise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMemory:
    """What a model and its sequences take.

    Attributes:
        weights_bytes: All weights, in bytes.
        kv_cache: What a sequence takes; None when that is unknown.
        context_window: Tokens of the longest sequence.
    """

    weights_bytes: int
    kv_cache: KvCacheShape | None
    context_window: int

    def sequence_bytes(self, tokens: int, /) -> int:
        """Memory of one sequence, cut to the context window, in bytes; 0 if that is unknown."""
        return self.kv_cache.size_bytes(min(tokens, self.context_window)) if self.kv_cache else 0

    def bytes_with_sequence(self, tokens: int, /) -> int:
        """Memory of the weights and of one sequence, cut to the context window, in bytes; without it if unknown."""
        return self.weights_bytes + self.sequence_bytes(tokens)

    def resembles(self, other: Self, /) -> bool:
        """Tells whether both are within `TOLERANCE` of each other, in what both know."""
        mine, others = self.as_estimate(), other.as_estimate()
        pairs = [
            (mine.weights_bytes, others.weights_bytes),
            (mine.kv_cache_bytes_per_token, others.kv_cache_bytes_per_token),
        ]
        return all(
            abs(first - second) <= TOLERANCE * max(first, second)
            for first, second in pairs
            if first is not None and second is not None
        )

    def as_estimate(self) -> MemoryEstimate:
        """Describes it to the domain."""
        return MemoryEstimate(
            weights_bytes=self.weights_bytes,
            kv_cache_bytes_per_token=self.kv_cache.first_bytes_per_token if self.kv_cache else None,
            full_window_bytes=self.bytes_with_sequence(self.context_window) if self.kv_cache else None,
        )


def estimate_model_memory(directory: Path, /, *, kv_cache_bits: int | None = None) -> ModelMemory:
    """Reads the configuration and the headers of the weights.

    Args:
        directory: The model's.
        kv_cache_bits: See `LoadOptions`.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file cannot be understood.
    """
    config: Any = json.loads((directory / "config.json").read_bytes())
    if not isinstance(config, dict):
        raise ValueError("'config.json' holds no JSON object")  # noqa: TRY004 - one error for all bad content
    weights = read_stored_weights(directory)
    number_bytes = weights.float_bytes
    kv_cache = None
    if number_bytes is not None:
        kv_cache = read_kv_cache_shape(config, number_bytes=number_bytes, kv_cache_bits=kv_cache_bits)
    return ModelMemory(
        weights_bytes=weights.size_bytes,
        kv_cache=kv_cache,
        context_window=context_window_of(config),
    )
