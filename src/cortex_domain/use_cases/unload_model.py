"""Use case: free a model's memory."""

from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import ModelLoader, ModelStore


class UnloadModel:
    """Resolves the name and unloads; a model that is not loaded is left as it is."""

    def __init__(self, *, store: ModelStore, loader: ModelLoader, residency: ModelResidency) -> None:
        self._store = store
        self._loader = loader
        self._residency = residency

    async def __call__(self, name: str, /) -> None:
        """Unloads the model that has this id or alias.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
            GeneratorFailedError: The engine failed on its side.
            ShuttingDownError: The engine is stopping.
            StorageError: The disk cannot be read.
        """
        descriptor = await self._store.describe(name)
        self._residency.dismiss(descriptor.id)
        await self._loader.unload(descriptor.id)
