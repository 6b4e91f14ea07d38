"""Model loaders that are wrong in one way each."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.broken_adapters.passing_text_generator import EventStream, PassingTextGenerator
from cortex_contracts.model_loader import ModelLoaderHarness
from cortex_domain.errors import InsufficientMemoryError, InvalidModelError, ModelNotLoadedError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import LoadedModel, LoadOptions, MemoryEstimate, ModelFiles, ModelId
from cortex_domain.ports import ModelLoader


class _Passing(ModelLoader):
    """Wrong in no way yet."""

    def __init__(self, inner: ModelLoader) -> None:
        self._inner = inner

    async def estimate_memory(self, files: ModelFiles, /) -> MemoryEstimate:
        return await self._inner.estimate_memory(files)

    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        return await self._inner.load(files, options)

    async def unload(self, model_id: ModelId, /) -> None:
        await self._inner.unload(model_id)

    def loaded(self) -> Sequence[LoadedModel]:
        return self._inner.loaded()


class _ListsUnloaded(_Passing):
    def __init__(self, inner: ModelLoader) -> None:
        super().__init__(inner)
        self._unloaded: dict[ModelId, LoadedModel] = {}

    async def unload(self, model_id: ModelId, /) -> None:
        self._unloaded |= {model.id: model for model in self._inner.loaded() if model.id == model_id}
        await super().unload(model_id)

    def loaded(self) -> Sequence[LoadedModel]:
        here = {model.id: model for model in super().loaded()}
        return list((here | self._unloaded).values())


class _HidesWindow(_Passing):
    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        return replace(await super().load(files, options), context_window=0)


class _LoadsAgain(_Passing):
    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        was_loaded = _is_loaded(self, files)
        model = await super().load(files, options)
        return replace(model, memory_bytes=model.memory_bytes + was_loaded)


class _DropsOptions(_Passing):
    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        return await super().load(files, options if _is_loaded(self, files) else None)


class _IgnoresOtherOptions(_Passing):
    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        return await super().load(files, None if _is_loaded(self, files) else options)


class _LoadsForEachCaller(_Passing):
    def __init__(self, inner: ModelLoader) -> None:
        super().__init__(inner)
        self._in_flight = 0

    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        self._in_flight += 1
        callers = self._in_flight
        model = await super().load(files, options)
        self._in_flight -= 1
        return replace(model, memory_bytes=model.memory_bytes * callers)


class _ListsBackwards(_Passing):
    def loaded(self) -> Sequence[LoadedModel]:
        return super().loaded()[::-1]


class _RefusesIdleUnload(_Passing):
    async def unload(self, model_id: ModelId, /) -> None:
        if all(model.id != model_id for model in self.loaded()):
            raise ModelNotLoadedError(model_id=model_id)
        await super().unload(model_id)


class _Remembering(_Passing):
    """Keeps the files of what was loaded."""

    def __init__(self, inner: ModelLoader) -> None:
        super().__init__(inner)
        self._files: dict[ModelId, ModelFiles] = {}

    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        self._files[files.model_id] = files
        return await super().load(files, options)


class _KeepsWeights(_Remembering):
    def loaded(self) -> Sequence[LoadedModel]:
        return [model for model in super().loaded() if not model.id.startswith("kept/")]

    async def unload(self, model_id: ModelId, /) -> None:
        if files := self._files.pop(model_id, None):
            await self._inner.load(replace(files, model_id=ModelId(f"kept/{len(self._inner.loaded())}")))
        await super().unload(model_id)


class _ReloadsOthers(_Remembering):
    async def unload(self, model_id: ModelId, /) -> None:
        await super().unload(model_id)
        for files in [self._files[model.id] for model in self.loaded() if model.id in self._files]:
            await super().unload(files.model_id)
            await self.load(files)


class _ListsFailures(_Passing):
    def __init__(self, inner: ModelLoader) -> None:
        super().__init__(inner)
        self._failed: list[LoadedModel] = []

    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        try:
            return await super().load(files, options)
        except InvalidModelError:
            self._failed.append(LoadedModel(id=files.model_id, memory_bytes=1, context_window=1))
            raise

    def loaded(self) -> Sequence[LoadedModel]:
        return [*super().loaded(), *self._failed]


class _ClearsMemoryInVain(_Passing):
    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        try:
            return await super().load(files, options)
        except InsufficientMemoryError:
            for model in self.loaded():
                await self.unload(model.id)
            raise


class _EstimatesTwice(_Passing):
    async def estimate_memory(self, files: ModelFiles, /) -> MemoryEstimate:
        estimate = await super().estimate_memory(files)
        return replace(estimate, weights_bytes=2 * estimate.weights_bytes)


class _EndsQuietly(PassingTextGenerator):
    """Takes the end of a model for the end of the answer."""

    async def _tell(self, _: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        try:
            async for event in events:
                yield event
        except ModelNotLoadedError:
            return


def _is_loaded(loader: ModelLoader, files: ModelFiles) -> bool:
    return any(model.id == files.model_id for model in loader.loaded())


def _breakage(requirement_id: str, broken: Callable[[ModelLoader], ModelLoader]) -> Breakage[ModelLoaderHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, loader=broken(harness.loader)))


BROKEN_MODEL_LOADERS: tuple[Breakage[ModelLoaderHarness], ...] = (
    _breakage("model_loader.listed_until_unloaded", _ListsUnloaded),
    _breakage("model_loader.describes_model", _HidesWindow),
    _breakage("model_loader.loads_once", _LoadsAgain),
    _breakage("model_loader.keeps_options", _DropsOptions),
    _breakage("model_loader.refuses_other_options", _IgnoresOtherOptions),
    _breakage("model_loader.shares_load", _LoadsForEachCaller),
    _breakage("model_loader.lists_in_order", _ListsBackwards),
    _breakage("model_loader.unload_is_idempotent", _RefusesIdleUnload),
    _breakage("model_loader.unload_frees_memory", _KeepsWeights),
    Breakage(
        "model_loader.unload_ends_generations",
        _EndsQuietly.__name__,
        lambda harness: replace(harness, generator=_EndsQuietly(harness.generator)),
    ),
    _breakage("model_loader.unload_spares_others", _ReloadsOthers),
    _breakage("model_loader.failed_load_leaves_nothing", _ListsFailures),
    _breakage("model_loader.refuses_what_does_not_fit", _ClearsMemoryInVain),
    _breakage("model_loader.estimates_memory", _EstimatesTwice),
)
