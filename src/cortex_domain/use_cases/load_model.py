"""Use case: bring a model into memory."""

from pathlib import PurePath

from cortex_domain.language_models import LoadedModel, LoadOptions
from cortex_domain.ports import ModelLoader, ModelStore


class LoadModel:
    """Finds a model's files and hands them to the loader."""

    def __init__(self, *, store: ModelStore, loader: ModelLoader) -> None:
        self._store = store
        self._loader = loader

    async def __call__(self, name: str, /, *, lora_weights: PurePath | None = None) -> LoadedModel:
        """Loads the model that has this id or alias; one that is loaded is returned at once.

        Without options, a model is returned as it is loaded; with any, it has to be loaded with exactly these.

        Args:
            name: Id or alias.
            lora_weights: See `LoadOptions.lora_weights`.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
            ModelNotDownloadedError: Its files are not here.
            InvalidModelError: Its files are damaged or not of a model that can be run.
            LoadOptionRefusedError: An option does not fit the model.
            ModelLoadedOtherwiseError: It is loaded, with other options.
            InsufficientMemoryError: It does not fit.
            GeneratorFailedError: The engine failed on its side.
            ShuttingDownError: The engine is stopping.
            StorageError: The disk cannot be read.
        """
        given = LoadOptions(lora_weights=lora_weights)
        options = given if given.given else None
        loaded = self._find_loaded(name, options)
        if loaded is not None:
            return loaded
        descriptor = await self._store.describe(name)
        loaded = self._find_loaded(descriptor.id, options)
        if loaded is not None:
            return loaded
        return await self._loader.load(await self._store.locate(descriptor.id), options)

    def _find_loaded(self, name: str, options: LoadOptions | None) -> LoadedModel | None:
        loaded = next((model for model in self._loader.loaded() if model.id == name), None)
        if loaded is not None:
            loaded.require_options(options)
        return loaded
