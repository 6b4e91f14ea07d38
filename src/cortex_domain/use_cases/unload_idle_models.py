"""Use case: unload the models whose time is over."""

from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import ModelLoader


class UnloadIdleModels:
    """Unloads every model that nobody used for its `keep_alive_s`; somebody has to call it from time to time."""

    def __init__(self, *, loader: ModelLoader, residency: ModelResidency) -> None:
        self._loader = loader
        self._residency = residency

    async def __call__(self) -> None:
        """Unloads what has expired by now.

        Raises:
            GeneratorFailedError: The engine failed on its side.
            ShuttingDownError: The engine is stopping.
        """
        # One at a time: while one is unloaded, another that had expired may find a user.
        while expired := self._residency.expired(self._loader.loaded()):
            self._residency.reset(expired[0].id)
            await self._loader.unload(expired[0].id)
