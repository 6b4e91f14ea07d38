"""Use case: describe a model as it is served."""

from dataclasses import replace

from cortex_domain.errors import RequestRefusedError, StorageError
from cortex_domain.language_models import (
    OWN_CAPABILITIES,
    LoadedModel,
    MemoryEstimate,
    ModelDescriptor,
    ModelId,
    ModelState,
)
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import ModelLoader, ModelStore, TextGenerator


class DescribeModel:
    """Adds what the loader and the text generator know to what the store knows."""

    def __init__(
        self, *, store: ModelStore, loader: ModelLoader, residency: ModelResidency, generator: TextGenerator
    ) -> None:
        self._store = store
        self._loader = loader
        self._residency = residency
        self._generator = generator
        self._estimates: dict[tuple[ModelId, int | None], MemoryEstimate | None] = {}
        self._in_memory: dict[str, tuple[LoadedModel, ModelDescriptor]] = {}

    async def __call__(self, name: str, /) -> ModelDescriptor:
        """Describes the model that has this id or alias.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
            StorageError: The disk cannot be read.
        """
        return await self.as_served(await self._store.describe(name))

    async def while_loaded(self, name: str, /) -> ModelDescriptor:
        """Describes like a call, but reads no disk for a model that has been in memory since it was last asked for.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
            StorageError: The disk cannot be read.
        """
        loaded, descriptor = self._in_memory.pop(name, (None, None))
        if descriptor is None or loaded is not self._find_loaded(descriptor.id):
            descriptor = await self._store.describe(name)
            loaded = self._find_loaded(descriptor.id)
        if loaded is not None:
            self._in_memory[name] = loaded, descriptor
        return await self.as_served(descriptor)

    async def as_served(self, descriptor: ModelDescriptor, /) -> ModelDescriptor:
        """Completes a store's descriptor with the state, memory and capabilities that it has here.

        Raises:
            StorageError: The disk cannot be read.
        """
        served = replace(
            descriptor,
            capabilities=self._generator.capabilities - (OWN_CAPABILITIES - descriptor.capabilities),
        )
        loaded = self._find_loaded(descriptor.id)
        if loaded is not None:
            return self._as_loaded(served, loaded)
        return replace(served, memory_estimate=await self._estimate(descriptor))

    def _find_loaded(self, model_id: ModelId) -> LoadedModel | None:
        return next((model for model in self._loader.loaded() if model.id == model_id), None)

    def _as_loaded(self, descriptor: ModelDescriptor, model: LoadedModel) -> ModelDescriptor:
        return replace(
            descriptor,
            state=ModelState.LOADED,
            memory_bytes=model.memory_bytes,
            kv_cache_bytes_per_token=model.kv_cache_bytes_per_token,
            memory_estimate=model.memory_estimate,
            context_window=model.context_window,
            lora_weights=model.options.lora_weights,
            kv_cache_bits=model.options.kv_cache_bits,
            draft_model=model.options.draft_model.model_id if model.options.draft_model else None,
            residency=self._residency.describe(model.id),
        )

    async def _estimate(self, descriptor: ModelDescriptor) -> MemoryEstimate | None:
        """Estimates each version of a model's files once; None when they cannot be read or understood."""
        if descriptor.state is not ModelState.DOWNLOADED:
            return None
        version = descriptor.id, descriptor.size_bytes
        if version not in self._estimates:
            try:
                files = await self._store.locate(descriptor.id)
                self._estimates[version] = await self._loader.estimate_memory(files)
            except (RequestRefusedError, StorageError):
                return None
        return self._estimates[version]
