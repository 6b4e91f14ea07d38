"""Use case: bring a model into memory."""

from pathlib import PurePath

from cortex_domain.errors import InsufficientMemoryError
from cortex_domain.language_models import LoadedModel, LoadOptions, ModelDescriptor, ModelFiles
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import ModelLoader, ModelStore
from cortex_domain.use_cases.make_room import MakeRoom


class LoadModel:
    """Finds a model's files and hands them to the loader, in place of idle models if memory is short."""

    def __init__(
        self, *, store: ModelStore, loader: ModelLoader, residency: ModelResidency, make_room: MakeRoom
    ) -> None:
        self._store = store
        self._loader = loader
        self._residency = residency
        self._make_room = make_room

    async def __call__(
        self,
        name: str,
        /,
        *,
        lora_weights: PurePath | None = None,
        kv_cache_bits: int | None = None,
        draft_model: str | None = None,
        keep_alive_s: float | None = None,
        pinned: bool | None = None,
    ) -> LoadedModel:
        """Loads the model that has this id or alias; one that is loaded is returned at once.

        Without options, a model is returned as it is loaded; with any, it has to be loaded with exactly these. One that
        left the memory though nobody unloaded it by name comes back with the options that it had.

        Args:
            name: Id or alias.
            lora_weights: See `LoadOptions.lora_weights`.
            kv_cache_bits: See `LoadOptions.kv_cache_bits`.
            draft_model: Id or alias; see `LoadOptions.draft_model`.
            keep_alive_s: Seconds without a request, 0 or more, after which it is unloaded; None leaves that as it is.
            pinned: Whether it stays until somebody unloads it by name; None leaves that as it is.

        Raises:
            InvalidRequestError: The name cannot name a model, or an option is none.
            ModelNotFoundError: No model has this name.
            ModelNotDownloadedError: Its files are not here.
            InvalidModelError: Its files are damaged or not of a model that can be run.
            LoadOptionRefusedError: An option does not fit the model.
            ModelLoadedOtherwiseError: It is loaded, with other options.
            InsufficientMemoryError: It does not fit, and would not if every idle model were unloaded.
            GeneratorFailedError: The engine failed on its side.
            ShuttingDownError: The engine is stopping.
            StorageError: The disk cannot be read.
        """
        draft_files = None if draft_model is None else await self._locate(draft_model)
        given = LoadOptions(lora_weights=lora_weights, kv_cache_bits=kv_cache_bits, draft_model=draft_files)
        options = given if given.given else None
        loaded = self._find_loaded(name, options)
        if loaded is None:
            descriptor = await self._store.describe(name)
            loaded = self._find_loaded(descriptor.id, options) or await self._load(descriptor, options)
        self._residency.keep(loaded.id, keep_alive_s=keep_alive_s, pinned=pinned)
        return loaded

    async def _locate(self, name: str) -> ModelFiles:
        descriptor = await self._store.describe(name)
        return await self._store.locate(descriptor.id)

    async def _load(self, descriptor: ModelDescriptor, options: LoadOptions | None) -> LoadedModel:
        files = await self._store.locate(descriptor.id)
        options = options or self._residency.options(descriptor.id)
        while True:
            try:
                loaded = await self._loader.load(files, options)
            except InsufficientMemoryError as refusal:
                await self._make_room(refusal)
            else:
                self._residency.settle(descriptor, loaded.options)
                return loaded

    def _find_loaded(self, name: str, options: LoadOptions | None) -> LoadedModel | None:
        loaded = next((model for model in self._loader.loaded() if model.id == name), None)
        if loaded is not None:
            loaded.require_options(options)
        return loaded
