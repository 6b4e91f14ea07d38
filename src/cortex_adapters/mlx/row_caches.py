"""The caches that a sequence brings into a batch: mlx-lm's own, or packed ones."""

from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, make_prompt_cache

from cortex_adapters.mlx.packed_kv_cache import KvPacking, PackedKVCache
from cortex_domain.errors import LoadOptionRefusedError
from cortex_domain.language_models import ModelId


def make_row_caches(network: Any, /, *, kv_cache_bits: int | None) -> list[Any]:  # noqa: ANN401 - mlx-lm's module
    """Makes empty caches for one sequence, one a layer; see `LoadOptions.kv_cache_bits`."""
    caches: list[Any] = make_prompt_cache(network)
    if kv_cache_bits is None:
        return caches
    return [PackedKVCache(KvPacking(bits=kv_cache_bits)) for _ in caches]


def require_packable(network: Any, /, *, kv_cache_bits: int, model_id: ModelId) -> None:  # noqa: ANN401
    """Checks that a model's caches can be packed; nothing is computed for that.

    Raises:
        LoadOptionRefusedError: They cannot.
    """
    others = {type(cache).__name__ for cache in make_prompt_cache(network) if type(cache) is not KVCache}
    if others:
        reason = f"its layers keep their past in {' and '.join(sorted(others))}, and only a KVCache can be packed"
        raise LoadOptionRefusedError(model_id=model_id, parameter="kv_cache_bits", reason=reason)
    try:
        # Arrays are lazy: this asks for shapes only.
        network(mx.zeros((1, 1), dtype=mx.int32), cache=make_row_caches(network, kv_cache_bits=kv_cache_bits))
    except ValueError as error:
        raise LoadOptionRefusedError(model_id=model_id, parameter="kv_cache_bits", reason=str(error)) from error
