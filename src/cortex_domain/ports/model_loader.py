"""Port: brings models into memory and lets them go."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from cortex_domain.language_models import LoadedModel, LoadOptions, MemoryEstimate, ModelFiles, ModelId


class ModelLoader(Protocol):
    """Owns the memory that models take.

    Contract:
        - After `load` returns, the model is in `loaded()` until `unload`.
        - Loading a model that is loaded returns what is there; callers that load the same model at once share one load.
        - A model is loaded with all of the options, and tells them, or with none and refused: an option that cannot be
          honoured is named in the refusal, never ignored. One that is loaded is not changed by other options.
        - Several models can be loaded at once.
        - Unloading a model that is not loaded does nothing. Its memory is free when `unload` returns.
        - Unloading ends generations in flight on that model with `ModelNotLoadedError`; others are not touched.
        - A load that fails leaves nothing behind.
        - A model that would not fit is refused before its weights are read, whatever was loaded stays.
        - What `estimate_memory` tells of a model's weights and of its tokens is within 15 % of what `load` measures.
    """

    @abstractmethod
    async def estimate_memory(self, files: ModelFiles, /) -> MemoryEstimate:
        """Tells what a model would take, without loading it.

        Raises:
            InvalidModelError: The files cannot be understood.
            StorageError: The files cannot be read.
        """

    @abstractmethod
    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        """Loads a model.

        Args:
            files: The model.
            options: How to load it; None loads it as it is, and takes one that is loaded with whatever options.

        Raises:
            InvalidModelError: The files are not a model that this adapter runs.
            LoadOptionRefusedError: An option does not fit the model, or the adapter does not know it.
            ModelLoadedOtherwiseError: The model is loaded, with other options.
            InsufficientMemoryError: The model does not fit.
            GeneratorFailedError: The engine failed on its side.
            ShuttingDownError: The engine is stopping.
        """

    @abstractmethod
    async def unload(self, model_id: ModelId, /) -> None:
        """Unloads a model and frees its memory.

        Raises:
            GeneratorFailedError: The engine failed on its side.
            ShuttingDownError: The engine is stopping.
        """

    @abstractmethod
    def loaded(self) -> Sequence[LoadedModel]:
        """Returns the models in memory, in the order in which they were loaded."""
