"""How much memory the KV cache of one sequence takes, by its length; read from a model's configuration.

A layer of plain attention keeps a key and a value for every token: 2 x heads x head size numbers, where heads are those
for keys and values, which several query heads may share (https://arxiv.org/abs/2305.13245). A layer with a sliding
window keeps those of the last tokens only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cortex_adapters.mlx.packed_kv_cache import packed_bytes

ALLOCATION_STEP = 256
"""Tokens; mlx-lm's caches grow by this many at once."""

_FULL = "full_attention"
_SLIDING = "sliding_attention"
_UNUSUAL_KEYS = ("kv_lora_rank", "num_kv_shared_layers", "full_attention_interval", "attention_chunk_size")
_UNUSUAL_PREFIXES = ("attn_layer", "conv_", "hybrid", "linear_", "mamba", "recurrent", "rwkv", "ssm")
"""What a configuration has whose layers keep something else than plain keys and values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KvCacheShape:
    """What one sequence keeps in all layers together.

    Attributes:
        bytes_per_token: Kept for every token by the layers that forget nothing, in bytes.
        window_bytes_per_token: Kept for each of the last `window` tokens by the other layers, in bytes.
        window: Tokens that those layers keep; 0 when there are none.
        fixed_bytes: Kept whatever the length, in bytes.
    """

    bytes_per_token: int
    window_bytes_per_token: int = 0
    window: int = 0
    fixed_bytes: int = 0

    @property
    def first_bytes_per_token(self) -> int:
        """Kept for each token of a sequence that no window has cut yet, in bytes."""
        return self.bytes_per_token + self.window_bytes_per_token

    def size_bytes(self, tokens: int, /) -> int:
        """Memory of a sequence of this many tokens, in bytes, as it is allocated."""
        allocated = -(-tokens // ALLOCATION_STEP) * ALLOCATION_STEP
        windowed = min(allocated, self.window)
        return self.fixed_bytes + allocated * self.bytes_per_token + windowed * self.window_bytes_per_token


def read_kv_cache_shape(
    config: Mapping[str, Any], /, *, number_bytes: int, kv_cache_bits: int | None = None
) -> KvCacheShape | None:
    """Reads the shape from a `config.json`, also where a text model is nested in another.

    Args:
        config: The configuration.
        number_bytes: Size of a number that the model computes with, in bytes.
        kv_cache_bits: See `LoadOptions`; without effect on heads that cannot be packed.

    Returns:
        None when the configuration does not say enough, or names layers of another kind.
    """
    section = {**config, **(config.get("text_config") or {})}
    layers = _layer_types(section)
    bytes_per_layer = _bytes_per_layer(section, number_bytes, kv_cache_bits)
    if layers is None or bytes_per_layer is None or _is_unusual(section):
        return None
    return KvCacheShape(
        bytes_per_token=layers.count(_FULL) * bytes_per_layer,
        window_bytes_per_token=layers.count(_SLIDING) * bytes_per_layer,
        window=_count(section, "sliding_window") or 0,
    )


def _is_unusual(section: Mapping[str, Any]) -> bool:
    return any(
        value is not None and (key in _UNUSUAL_KEYS or key.startswith(_UNUSUAL_PREFIXES))
        for key, value in section.items()
    )


def _layer_types(section: Mapping[str, Any]) -> list[str] | None:
    """Lists what each layer keeps; None when that is not known of all."""
    layers = _count(section, "num_hidden_layers", "n_layers", "n_layer")
    if layers is None:
        return None
    types = section.get("layer_types") or _patterned(section, layers)
    is_known = len(types) == layers and {_FULL, _SLIDING}.issuperset(types)
    has_window = _SLIDING not in types or _count(section, "sliding_window") is not None
    return list(types) if is_known and has_window else None


def _patterned(section: Mapping[str, Any], layers: int) -> list[str]:
    """Lists layers of which every n-th forgets nothing, as Gemma 3 and Cohere 2 have them; else none forgets.

    A pattern that is no number is not understood, and gives none.
    """
    period = section.get("sliding_window_pattern")
    if period is None:
        return [_FULL] * layers
    if type(period) is not int or period < 1:
        return []
    return [_FULL if index % period == period - 1 else _SLIDING for index in range(layers)]


def _bytes_per_layer(section: Mapping[str, Any], number_bytes: int, kv_cache_bits: int | None) -> int | None:
    heads = _count(section, "num_attention_heads", "n_heads", "n_head")
    if heads is None:
        return None
    kv_heads = _count(section, "num_key_value_heads") or heads
    width = _count(section, "hidden_size", "n_embd")
    head_size = _count(section, "head_dim") or (width and width // heads)
    return head_size and 2 * kv_heads * packed_bytes(head_size, number_bytes=number_bytes, bits=kv_cache_bits)


def _count(section: Mapping[str, Any], *names: str) -> int | None:
    """Finds the first of these that is a number of things."""
    values = (section.get(name) for name in names)
    return next((value for value in values if type(value) is int and value > 0), None)
