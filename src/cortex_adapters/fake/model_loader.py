"""Loads models that have no weights."""

import asyncio
from collections.abc import Mapping, Sequence

from cortex_domain.errors import (
    CortexError,
    InsufficientMemoryError,
    InvalidModelError,
    LoadOptionRefusedError,
    StorageError,
)
from cortex_domain.language_models import LoadedModel, LoadOptions, MemoryEstimate, ModelFiles, ModelId
from cortex_domain.ports import ModelLoader

KV_CACHE_BYTES_PER_TOKEN = 100
"""What a token of any fake model is said to take."""


class FakeModelLoader(ModelLoader):
    """Keeps a list of what is loaded; a model takes as much memory as its files are large.

    Args:
        context_window: Tokens that every model holds.
        memory_limit_bytes: Memory that all models together may take, in bytes; None does not limit it.
        refusals: Errors that loading these models raises.
        honours_options: Whether models take load options, which change nothing here, or refuse them.
    """

    def __init__(
        self,
        *,
        context_window: int = 4096,
        memory_limit_bytes: int | None = None,
        refusals: Mapping[ModelId, CortexError] | None = None,
        honours_options: bool = True,
    ) -> None:
        self._context_window = context_window
        self._memory_limit_bytes = memory_limit_bytes
        self._refusals = dict(refusals or {})
        self._honours_options = honours_options
        self._loaded: dict[ModelId, LoadedModel] = {}
        self._peak_memory_bytes = 0

    @property
    def memory_bytes(self) -> int:
        """Memory that the loaded models take, in bytes."""
        return sum(model.memory_bytes for model in self._loaded.values())

    @property
    def peak_memory_bytes(self) -> int:
        """The most that `memory_bytes` ever was."""
        return self._peak_memory_bytes

    async def estimate_memory(self, files: ModelFiles, /) -> MemoryEstimate:
        """Tells what `load` will measure, unless `refusals` says that its files cannot be read or understood."""
        await asyncio.sleep(0)
        refusal = self._refusals.get(files.model_id)
        if isinstance(refusal, InvalidModelError | StorageError):
            raise refusal
        return self._estimate(files)

    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        """Loads a model, or raises what `refusals` says, or that it does not fit."""
        await asyncio.sleep(0)
        if files.model_id in self._refusals:
            raise self._refusals[files.model_id]
        if files.model_id not in self._loaded:
            self._require_memory(files)
            self._loaded[files.model_id] = self._load(files, options or LoadOptions())
            self._peak_memory_bytes = max(self._peak_memory_bytes, self.memory_bytes)
        self._loaded[files.model_id].require_options(options)
        return self._loaded[files.model_id]

    async def unload(self, model_id: ModelId, /) -> None:
        """Unloads a model; from the call on it is no longer listed."""
        self._loaded.pop(model_id, None)
        await asyncio.sleep(0)

    def loaded(self) -> Sequence[LoadedModel]:
        """Returns the loaded models, in the order in which they were loaded."""
        return tuple(self._loaded.values())

    def _load(self, files: ModelFiles, options: LoadOptions) -> LoadedModel:
        if options.given and not self._honours_options:
            reason = "this loader takes no options"
            raise LoadOptionRefusedError(model_id=files.model_id, parameter=min(options.given), reason=reason)
        return LoadedModel(
            id=files.model_id,
            memory_bytes=files.size_bytes,
            context_window=self._context_window,
            kv_cache_bytes_per_token=KV_CACHE_BYTES_PER_TOKEN,
            memory_estimate=self._estimate(files),
            options=options,
        )

    def _estimate(self, files: ModelFiles) -> MemoryEstimate:
        return MemoryEstimate(
            weights_bytes=files.size_bytes,
            kv_cache_bytes_per_token=KV_CACHE_BYTES_PER_TOKEN,
            full_window_bytes=files.size_bytes + self._context_window * KV_CACHE_BYTES_PER_TOKEN,
        )

    def _require_memory(self, files: ModelFiles) -> None:
        if self._memory_limit_bytes is None:
            return
        available_bytes = max(0, self._memory_limit_bytes - self.memory_bytes)
        if files.size_bytes > available_bytes:
            raise InsufficientMemoryError(
                model_id=files.model_id, required_bytes=files.size_bytes, available_bytes=available_bytes
            )
