"""What is started before Cortex serves, and stopped after it."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from cortex_entrypoints.container.tools import ToolSource
from cortex_entrypoints.idle_unloading import IdleUnloading

logger = logging.getLogger(__name__)


class _Engine(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Lifecycle:
    """Starts the engine, what works on it in the background, and the tools, and stops them in the opposite order.

    Args:
        engine: Runs the models.
        idle_unloading: Unloads those that nobody uses.
        tool_sources: Offer tools; they are started side by side.
    """

    def __init__(self, *, engine: _Engine, idle_unloading: IdleUnloading, tool_sources: Sequence[ToolSource]) -> None:
        self._engine = engine
        self._idle_unloading = idle_unloading
        self._tool_sources = tool_sources

    async def start(self) -> None:
        """Starts everything; await it once.

        Raises:
            GeneratorFailedError: The engine cannot be started.
        """
        await self._engine.start()
        self._idle_unloading.start()
        await asyncio.gather(*(source.start() for source in self._tool_sources))

    async def stop(self) -> None:
        """Stops everything, also what was started in part; await it once."""
        stopped = await asyncio.gather(*(source.stop() for source in self._tool_sources), return_exceptions=True)
        await self._idle_unloading.stop()
        await self._engine.stop()
        for failure in stopped:
            if failure is not None:
                logger.error("a source of tools did not stop", exc_info=failure)
