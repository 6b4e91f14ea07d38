"""Use case: remove a model's files."""

from cortex_domain.errors import ModelInUseError
from cortex_domain.ports import ModelLoader, ModelStore


class DeleteModel:
    """Deletes a model that is not loaded."""

    def __init__(self, *, store: ModelStore, loader: ModelLoader) -> None:
        self._store = store
        self._loader = loader

    async def __call__(self, name: str, /) -> None:
        """Deletes the files of the model that has this id or alias.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
            ModelInUseError: The model is loaded.
            StorageError: The files cannot be removed.
        """
        descriptor = await self._store.describe(name)
        if any(model.id == descriptor.id for model in self._loader.loaded()):
            raise ModelInUseError(model_id=descriptor.id)
        await self._store.delete(descriptor.id)
