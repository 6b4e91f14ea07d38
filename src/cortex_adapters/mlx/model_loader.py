"""Model loader on MLX."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.model_memory import estimate_model_memory
from cortex_domain.errors import InvalidModelError, StorageError
from cortex_domain.language_models import LoadedModel, LoadOptions, MemoryEstimate, ModelFiles, ModelId
from cortex_domain.ports import ModelLoader


class MlxModelLoader(ModelLoader):
    """Loads and unloads models in the engine; callers that want the same model share one load."""

    def __init__(self, *, host: EngineHost) -> None:
        self._host = host
        self._loading: dict[tuple[ModelId, LoadOptions | None], asyncio.Task[LoadedModel]] = {}

    async def estimate_memory(self, files: ModelFiles, /) -> MemoryEstimate:
        """See `ModelLoader.estimate_memory`. Only the headers of the weights are read."""
        try:
            memory = await asyncio.to_thread(estimate_model_memory, Path(files.directory))
        except OSError as error:
            raise StorageError(f"The files of {files.model_id!r} could not be read: {error}.") from error
        except ValueError as error:
            raise InvalidModelError(model_id=files.model_id, reason=str(error)) from error
        return memory.as_estimate()

    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        """See `ModelLoader.load`. A caller that is cancelled leaves the load to the others."""
        return await asyncio.shield(self._shared_load(files, options))

    async def unload(self, model_id: ModelId, /) -> None:
        """See `ModelLoader.unload`."""
        await self._host.unload(model_id)

    def loaded(self) -> Sequence[LoadedModel]:
        """See `ModelLoader.loaded`."""
        return self._host.models

    def _shared_load(self, files: ModelFiles, options: LoadOptions | None) -> "asyncio.Task[LoadedModel]":
        key = (files.model_id, options)
        task = self._loading.get(key)
        if task is None:
            task = asyncio.ensure_future(self._host.load(files, options))
            self._loading[key] = task
            task.add_done_callback(lambda _: self._loading.pop(key))
        return task
