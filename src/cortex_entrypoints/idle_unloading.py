"""Unloads models whose time is over, for as long as Cortex runs."""

import asyncio
import logging

from cortex_domain.errors import CortexError
from cortex_domain.ports import Clock
from cortex_domain.use_cases import UnloadIdleModels

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""Seconds between two looks, and so how late a model may leave the memory."""


class IdleUnloading:
    """Looks once a second for models that expired; a look costs microseconds.

    Args:
        unload_idle_models: Does it once.
        clock: Waits between two looks.
    """

    def __init__(self, *, unload_idle_models: UnloadIdleModels, clock: Clock) -> None:
        self._unload_idle_models = unload_idle_models
        self._clock = clock
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look; call it once, on the event loop that Cortex runs on."""
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Ends it; does nothing when it never began."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                await self._unload_idle_models()
            except CortexError as error:
                logger.warning("An idle model could not be unloaded: %s", error.message)
