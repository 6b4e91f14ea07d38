"""Loads models that have no weights."""

import asyncio
from collections.abc import Mapping, Sequence

from cortex_domain.errors import CortexError, LoadOptionRefusedError
from cortex_domain.language_models import LoadedModel, LoadOptions, ModelFiles, ModelId
from cortex_domain.ports import ModelLoader


class FakeModelLoader(ModelLoader):
    """Keeps a list of what is loaded; a model takes as much memory as its files are large.

    Args:
        context_window: Tokens that every model holds.
        refusals: Errors that loading these models raises.
        honours_options: Whether models take load options, which change nothing here, or refuse them.
    """

    def __init__(
        self,
        *,
        context_window: int = 4096,
        refusals: Mapping[ModelId, CortexError] | None = None,
        honours_options: bool = True,
    ) -> None:
        self._context_window = context_window
        self._refusals = dict(refusals or {})
        self._honours_options = honours_options
        self._loaded: dict[ModelId, LoadedModel] = {}
        self._peak_memory_bytes = 0

    @property
    def memory_bytes(self) -> int:
        """Memory that the loaded models take, in bytes."""
        return sum(model.memory_bytes for model in self._loaded.values())

    @property
    def peak_memory_bytes(self) -> int:
        """The most that `memory_bytes` ever was."""
        return self._peak_memory_bytes

    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        """Loads a model, or raises what `refusals` says."""
        await asyncio.sleep(0)
        if files.model_id in self._refusals:
            raise self._refusals[files.model_id]
        if files.model_id not in self._loaded:
            self._loaded[files.model_id] = self._load(files, options or LoadOptions())
            self._peak_memory_bytes = max(self._peak_memory_bytes, self.memory_bytes)
        self._loaded[files.model_id].require_options(options)
        return self._loaded[files.model_id]

    async def unload(self, model_id: ModelId, /) -> None:
        """Unloads a model."""
        await asyncio.sleep(0)
        self._loaded.pop(model_id, None)

    def loaded(self) -> Sequence[LoadedModel]:
        """Returns the loaded models, in the order in which they were loaded."""
        return tuple(self._loaded.values())

    def _load(self, files: ModelFiles, options: LoadOptions) -> LoadedModel:
        if options.given and not self._honours_options:
            reason = "this loader takes no options"
            raise LoadOptionRefusedError(model_id=files.model_id, parameter=min(options.given), reason=reason)
        return LoadedModel(
            id=files.model_id,
            memory_bytes=files.size_bytes,
            context_window=self._context_window,
            options=options,
        )
