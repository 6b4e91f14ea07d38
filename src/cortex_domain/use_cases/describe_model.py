"""Use case: describe a model as it is served."""

from dataclasses import replace

from cortex_domain.language_models import MODALITIES, ModelDescriptor, ModelState
from cortex_domain.ports import ModelLoader, ModelStore, TextGenerator


class DescribeModel:
    """Adds what the loader and the text generator know to what the store knows."""

    def __init__(self, *, store: ModelStore, loader: ModelLoader, generator: TextGenerator) -> None:
        self._store = store
        self._loader = loader
        self._generator = generator

    async def __call__(self, name: str, /) -> ModelDescriptor:
        """Describes the model that has this id or alias.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
            StorageError: The disk cannot be read.
        """
        return self.as_served(await self._store.describe(name))

    def as_served(self, descriptor: ModelDescriptor, /) -> ModelDescriptor:
        """Completes a store's descriptor with the state, memory and capabilities that it has here."""
        served = replace(
            descriptor,
            capabilities=self._generator.capabilities - (MODALITIES - descriptor.capabilities),
        )
        for model in self._loader.loaded():
            if model.id == descriptor.id:
                return replace(
                    served,
                    state=ModelState.LOADED,
                    memory_bytes=model.memory_bytes,
                    context_window=model.context_window,
                    lora_weights=model.options.lora_weights,
                )
        return served
