"""Measures what the KV cache of a loaded model takes, by letting the model read one token."""

from collections.abc import Iterable, Iterator
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import ArraysCache, CacheList, KVCache, RotatingKVCache

from cortex_adapters.mlx.kv_cache_shape import KvCacheShape
from cortex_adapters.mlx.packed_kv_cache import PackedKVCache
from cortex_adapters.mlx.row_caches import make_row_caches

_PLAIN = (KVCache, PackedKVCache)
"""Caches that keep every token."""


def measure_kv_cache(network: Any, /, *, kv_cache_bits: int | None = None) -> KvCacheShape | None:  # noqa: ANN401
    """Measures the shape, packed as `LoadOptions` says; None when a layer keeps its past in a way not known here.

    It costs one decode step, which also compiles what the first request would wait for.
    """
    caches = make_row_caches(network, kv_cache_bits=kv_cache_bits)
    mx.eval(network(mx.array([[0]]), cache=caches))
    layers = list(_flattened(caches))
    if not all(type(layer) in (*_PLAIN, RotatingKVCache, ArraysCache) for layer in layers):
        return None
    windowed = [layer for layer in layers if type(layer) is RotatingKVCache]
    return KvCacheShape(
        bytes_per_token=sum(_bytes_per_token(layer) for layer in layers if type(layer) in _PLAIN),
        window_bytes_per_token=sum(map(_bytes_per_token, windowed)),
        window=max((layer.max_size for layer in windowed), default=0),
        fixed_bytes=sum(layer.nbytes for layer in layers if type(layer) is ArraysCache),
    )


def _flattened(caches: Iterable[Any]) -> Iterator[Any]:
    for cache in caches:
        if isinstance(cache, CacheList):
            yield from _flattened(cache.caches)
        else:
            yield cache


def _bytes_per_token(cache: Any) -> int:  # noqa: ANN401 - mlx-lm's classes of caches
    """Divides by what was allocated, which is more than the one token; a layer that nothing reads has none."""
    return 0 if cache.keys is None else int(cache.nbytes // cache.keys.shape[2])
