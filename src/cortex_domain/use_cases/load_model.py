"""Use case: bring a model into memory."""

from cortex_domain.language_models import LoadedModel
from cortex_domain.ports import ModelLoader, ModelStore


class LoadModel:
    """Finds a model's files and hands them to the loader."""

    def __init__(self, *, store: ModelStore, loader: ModelLoader) -> None:
        self._store = store
        self._loader = loader

    async def __call__(self, name: str, /) -> LoadedModel:
        """Loads the model that has this id or alias; one that is loaded is returned at once.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
            ModelNotDownloadedError: Its files are not here.
            InvalidModelError: Its files are damaged or not of a model that can be run.
            InsufficientMemoryError: It does not fit.
            GeneratorFailedError: The engine failed on its side.
            ShuttingDownError: The engine is stopping.
            StorageError: The disk cannot be read.
        """
        loaded = self._find_loaded(name)
        if loaded is not None:
            return loaded
        descriptor = await self._store.describe(name)
        loaded = self._find_loaded(descriptor.id)
        if loaded is not None:
            return loaded
        return await self._loader.load(await self._store.locate(descriptor.id))

    def _find_loaded(self, name: str) -> LoadedModel | None:
        return next((model for model in self._loader.loaded() if model.id == name), None)
