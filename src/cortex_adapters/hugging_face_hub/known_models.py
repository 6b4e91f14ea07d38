"""What is known without the network: the catalogue, and what the disk shows. Every method may raise `OSError`."""

from collections.abc import Sequence
from dataclasses import replace

from cortex_adapters.hugging_face_hub.model_cache import ModelCache
from cortex_adapters.hugging_face_hub.model_directory import ModelDirectory
from cortex_domain.errors import InvalidModelError, ModelNotDownloadedError, ModelNotFoundError
from cortex_domain.language_models import (
    ModelDescriptor,
    ModelFiles,
    ModelId,
    ModelState,
    nearest_names,
    parse_model_id,
)

_MEMORY_PER_WEIGHTS = 1.2  # the weights as they are, and a fifth for the cache and the activations of a chat


class KnownModels:
    """The models of a catalogue and of a cache, as one."""

    def __init__(self, *, catalogue: Sequence[ModelDescriptor], cache: ModelCache) -> None:
        self._catalogue = {entry.id: entry for entry in catalogue}
        self._aliases = {alias: entry.id for entry in catalogue for alias in entry.aliases}
        self._cache = cache

    def list(self) -> list[ModelDescriptor]:
        """Lists them, sorted by id."""
        found = (self._find(model_id) for model_id in sorted(self._catalogue.keys() | self._cache.model_ids()))
        return [descriptor for descriptor in found if descriptor is not None]

    def describe(self, name: str) -> ModelDescriptor:
        """Finds one by its id or an alias.

        Raises:
            InvalidRequestError: The name cannot name a model.
            ModelNotFoundError: No model has this name.
        """
        model_id = parse_model_id(name)
        descriptor = self._find(model_id) or self._find(self._aliases.get(name, model_id))
        if descriptor is None:
            raise ModelNotFoundError(model_id=name, nearest=self._nearest(name))
        return descriptor

    def locate(self, model_id: ModelId) -> ModelFiles:
        """Finds the files of one that is complete.

        Raises:
            ModelNotFoundError: No model has this id.
            ModelNotDownloadedError: Its files are not here, or not all of them yet.
            InvalidModelError: Its files are damaged.
        """
        found = self._cache.find(model_id)
        if found is None:
            self.require(model_id)
            raise ModelNotDownloadedError(model_id=model_id)
        problem = found.problem()
        if problem is not None:
            raise InvalidModelError(model_id=model_id, reason=problem)
        return _to_files(model_id, found)

    def find_files(self, model_id: ModelId) -> ModelFiles | None:
        """Finds the files of a model; None when they are not here or not complete."""
        found = self._cache.find_complete(model_id)
        return _to_files(model_id, found) if found else None

    def require(self, model_id: ModelId) -> None:
        """Makes sure that a model is known.

        Raises:
            ModelNotFoundError: No model has this id.
        """
        if self._find(model_id) is None:
            raise ModelNotFoundError(model_id=model_id, nearest=self._nearest(model_id))

    def _find(self, model_id: ModelId) -> ModelDescriptor | None:
        entry = self._catalogue.get(model_id)
        found = self._cache.find(model_id)
        if found is not None:
            return _describe(found, entry or _describe_weights(model_id, found))
        plan = self._cache.partial(model_id).manifest()
        if entry is None and plan is not None:
            return ModelDescriptor(id=model_id, state=ModelState.AVAILABLE, size_bytes=plan.total_bytes)
        return entry

    def _nearest(self, name: str) -> Sequence[str]:
        return nearest_names(name, [known for model in self.list() for known in (model.id, *model.aliases)])


def _describe(found: ModelDirectory, known: ModelDescriptor) -> ModelDescriptor:
    config = found.config()
    return replace(
        known,
        state=ModelState.AVAILABLE if found.problem() else ModelState.DOWNLOADED,
        size_bytes=found.size_bytes,
        context_window=config.context_window or known.context_window,
        quantization=config.quantization or known.quantization,
        capabilities=known.capabilities | found.capabilities(),
    )


def _describe_weights(model_id: ModelId, found: ModelDirectory) -> ModelDescriptor:
    memory_bytes = round(found.weights_bytes * _MEMORY_PER_WEIGHTS)
    return ModelDescriptor(id=model_id, state=ModelState.AVAILABLE, memory_bytes=memory_bytes)


def _to_files(model_id: ModelId, found: ModelDirectory) -> ModelFiles:
    revision = found.manifest.revision if found.manifest else None
    return ModelFiles(model_id=model_id, directory=found.path, revision=revision, size_bytes=found.size_bytes)
