"""Cuts the keys and values of a sequence into blocks that stand on their own, and makes caches of them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache

from cortex_adapters.mlx.block_format import StoredArray, StoredBlock
from cortex_adapters.mlx.packed_kv_cache import PackedKVCache

_DTYPES = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16, "U32": mx.uint32}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class KvBlock:
    """Keys and values of some consecutive tokens, of all layers in one array each.

    Attributes:
        keys: Shape (layers, heads, tokens, key size).
        values: Shape (layers, heads, tokens, value size).
    """

    keys: mx.array
    values: mx.array

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.keys.nbytes + self.values.nbytes

    def store(self) -> StoredBlock:
        """Copies it to bytes."""
        return StoredBlock(keys=_store(self.keys), values=_store(self.values))

    @property
    def layout(self) -> tuple[object, ...]:
        """What all blocks of one model have in common."""
        return tuple(
            (array.dtype, array.shape[0], array.shape[1], array.shape[3]) for array in (self.keys, self.values)
        )


def restore_block(stored: StoredBlock, /, *, layers: int, tokens: int) -> KvBlock:
    """Makes a block of bytes again.

    Raises:
        ValueError: It is none of so many layers and tokens.
    """
    for array in (stored.keys, stored.values):
        if len(array.shape) != 4 or (array.shape[0], array.shape[2]) != (layers, tokens):
            raise ValueError(f"A kept block has the shape {array.shape}.")
    return KvBlock(keys=_restore(stored.keys), values=_restore(stored.values))


def can_be_cut(caches: Sequence[object], /) -> bool:
    """Tells whether caches, one a layer, hold keys and values of each token and nothing else.

    Then any beginning of a sequence can be reused. Windows that rotate and recurrent states cannot be cut.
    """
    return all(type(cache) in {KVCache, PackedKVCache} for cache in caches)


class KvRow:
    """Keys and values of one sequence, as a batch generator hands them out.

    Args:
        caches: mlx-lm's, one a layer; those of `can_be_cut`, and not empty.

    Attributes:
        token_bytes: Bytes of one token.
    """

    def __init__(self, caches: Sequence[KVCache]) -> None:
        # As they are stored: a packed cache hands out other ones.
        self._states: list[Any] = [cache.state for cache in caches]
        self._start = 0
        self._stacked: KvBlock | None = None
        self.token_bytes = sum(array.nbytes // array.shape[2] for state in self._states for array in state[:2])

    def cut(self, start: int, stop: int, /) -> KvBlock:
        """Copies the tokens from `start` up to `stop`; not computed yet when this returns.

        Raises:
            ValueError: The layers differ in shape.
        """
        if self._stacked is None:
            self._start, self._stacked = start, self._stack(start)
        whole, here = self._stacked, slice(start - self._start, stop - self._start)
        return KvBlock(keys=mx.contiguous(whole.keys[:, :, here]), values=mx.contiguous(whole.values[:, :, here]))

    def _stack(self, start: int) -> KvBlock:
        return KvBlock(
            keys=mx.concatenate([keys[:, :, start:tokens] for keys, _, tokens in self._states]),
            values=mx.concatenate([values[:, :, start:tokens] for _, values, tokens in self._states]),
        )


def join_blocks(blocks: Sequence[KvBlock], caches: Sequence[KVCache], /, *, tokens: int) -> None:
    """Fills empty caches, one a layer, with the first `tokens` tokens of these blocks; at least one block."""
    keys = mx.concatenate([block.keys for block in blocks], axis=2)[:, :, :tokens]
    values = mx.concatenate([block.values for block in blocks], axis=2)[:, :, :tokens]
    mx.async_eval(keys, values)
    for layer, cache in enumerate(caches):
        cache.state = keys[layer][None], values[layer][None], tokens


def _store(array: mx.array) -> StoredArray:
    plain: Any = array.view(mx.uint8)
    return StoredArray(dtype=_DTYPE_NAMES[array.dtype], shape=array.shape, data=bytes(memoryview(plain)))


def _restore(stored: StoredArray) -> mx.array:
    if stored.dtype not in _DTYPES:
        raise ValueError(f"A kept block holds numbers of the type {stored.dtype}.")
    plain: Any = stored.data
    return mx.array(plain).view(_DTYPES[stored.dtype]).reshape(stored.shape)
