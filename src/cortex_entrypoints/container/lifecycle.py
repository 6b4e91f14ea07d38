"""What is started before Cortex serves, and stopped after it."""

from typing import Protocol

from cortex_entrypoints.idle_unloading import IdleUnloading


class _Engine(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Lifecycle:
    """Starts the engine and what works on it in the background, and stops them in the opposite order.

    Args:
        engine: Runs the models.
        idle_unloading: Unloads those that nobody uses.
    """

    def __init__(self, *, engine: _Engine, idle_unloading: IdleUnloading) -> None:
        self._engine = engine
        self._idle_unloading = idle_unloading

    async def start(self) -> None:
        """Starts everything; await it once.

        Raises:
            GeneratorFailedError: The engine cannot be started.
        """
        await self._engine.start()
        self._idle_unloading.start()

    async def stop(self) -> None:
        """Stops everything, also what was started in part; await it once."""
        await self._idle_unloading.stop()
        await self._engine.stop()
