"""KV caches that keep keys and values as 8-bit or 4-bit numbers.

mlx-lm's `QuantizedKVCache` cannot join a batch. Here the numbers of one head and token, their scales and their biases
lie in one row of 32-bit words, so that all that mlx-lm's batched cache does with keys and values (joining, leaving,
padding, rolling, trimming) is right for these rows too. Attention gets them as plain numbers again, one layer at a
time: on a CPU that reads prompts four times as fast as mlx-lm's attention on quantised keys, and what is kept of a
token is the same however its prompt was cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import mlx.core as mx
from mlx_lm.models.cache import BatchKVCache, KVCache

_GROUP_SIZES = (64, 32)
_WORD_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KvPacking:
    """How numbers become words.

    Attributes:
        bits: Of each number, 4 or 8.
    """

    bits: int

    def pack(self, numbers: mx.array, /) -> mx.array:
        """Turns numbers, shape (rows, heads, tokens, size), to words, shape (rows, heads, tokens, words).

        Raises:
            ValueError: The size cannot be divided into groups.
        """
        packed, scales, biases = mx.quantize(numbers, group_size=_group_size(numbers.shape[-1]), bits=self.bits)
        scaling = mx.concatenate([scales, biases], axis=-1).view(mx.uint32)
        return mx.concatenate([packed, scaling], axis=-1)

    def unpack(self, words: mx.array, /, *, like: mx.array) -> mx.array:
        """Turns words back to numbers, shape (rows, heads, tokens, size), of the size and type of another array's."""
        size = like.shape[-1]
        packed, scaling = mx.split(words, [size * self.bits // _WORD_BITS], axis=-1)
        scales, biases = mx.split(scaling.view(like.dtype), 2, axis=-1)
        return mx.dequantize(packed, scales, biases, group_size=_group_size(size), bits=self.bits)


def packed_bytes(size: int, /, *, number_bytes: int, bits: int | None) -> int:
    """Counts the bytes of the numbers of one head and token.

    Args:
        size: How many numbers there are.
        number_bytes: Size of each when it is not packed, and of a scale or a bias, in bytes.
        bits: See `KvPacking`; None does not pack them.
    """
    if bits is None or size % min(_GROUP_SIZES):
        return size * number_bytes
    return size * bits // 8 + 2 * number_bytes * (size // _group_size(size))


def _group_size(size: int) -> int:
    for group_size in _GROUP_SIZES:
        if size % group_size == 0:
            return group_size
    raise ValueError(f"its heads have {size} numbers, which is no multiple of {min(_GROUP_SIZES)}")


class _Packed:
    """Goes before one of mlx-lm's caches, which then holds words and hands out numbers."""

    packing: KvPacking
    _like: tuple[mx.array, mx.array]
    """Empty arrays of the sizes and types of keys and values; types alone cannot be copied, as batches do."""

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Adds tokens; returns keys and values of all, as numbers."""
        self._like = mx.zeros((0, keys.shape[-1]), keys.dtype), mx.zeros((0, values.shape[-1]), values.dtype)
        parent: Any = super()
        fetched: tuple[mx.array, mx.array] = parent.update_and_fetch(self.packing.pack(keys), self.packing.pack(values))
        return fetched

    def keys_and_values(self) -> tuple[mx.array, mx.array]:
        """Returns keys and values of all tokens, as numbers; call it after `update_and_fetch`."""
        parent: Any = super()
        keys, values = parent.keys_and_values()
        return self.packing.unpack(keys, like=self._like[0]), self.packing.unpack(values, like=self._like[1])


class PackedKVCache(_Packed, KVCache):
    """The cache of one layer and one sequence."""

    def __init__(self, packing: KvPacking) -> None:
        super().__init__()
        self.packing = packing

    @classmethod
    def merge(cls, caches: Sequence["PackedKVCache"]) -> "BatchPackedKVCache":
        """Makes one cache of several sequences; what they hold is kept."""
        return BatchPackedKVCache.merge(caches)


class BatchPackedKVCache(_Packed, BatchKVCache):
    """The cache of one layer and several sequences."""

    @classmethod
    def merge(cls, caches: Sequence[PackedKVCache]) -> Self:
        """See `PackedKVCache.merge`."""
        is_empty = all(cache.empty() for cache in caches)
        merged: Self = cls([0] * len(caches)) if is_empty else super().merge(caches)
        merged.packing = caches[0].packing
        return merged

    def extract(self, idx: int) -> PackedKVCache:
        """Copies one sequence."""
        row = PackedKVCache(self.packing)
        row.keys, row.values, row.offset = super().extract(idx).state
        return row
