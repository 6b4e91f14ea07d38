"""Use case: free memory for a model or a request that did not fit."""

from cortex_domain.errors import InsufficientMemoryError, MemoryPressureError
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import ModelLoader


class MakeRoom:
    """Unloads idle models, the least recently used first, until what was refused should fit."""

    def __init__(self, *, loader: ModelLoader, residency: ModelResidency) -> None:
        self._loader = loader
        self._residency = residency

    async def __call__(self, refusal: InsufficientMemoryError | MemoryPressureError, /) -> None:
        """Frees what was missing: at least one model, or none at all if all idle ones together hold too little.

        Raises:
            InsufficientMemoryError | MemoryPressureError: The refusal itself; nothing that may be unloaded makes up for
                what is missing.
            GeneratorFailedError: The engine failed on its side.
            ShuttingDownError: The engine is stopping.
        """
        missing_bytes = max(1, refusal.required_bytes - refusal.available_bytes)
        while missing_bytes > 0:
            # Looked at anew each time: unloading takes a while, in which an idle model may find a user.
            idle = self._residency.idle(self._loader.loaded())
            if sum(model.memory_bytes for model in idle) < missing_bytes:
                raise refusal
            missing_bytes -= idle[0].memory_bytes
            self._residency.reset(idle[0].id)
            await self._loader.unload(idle[0].id)
