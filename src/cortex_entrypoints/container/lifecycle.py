"""What is started before Cortex serves, and stopped after it."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from cortex_entrypoints.agent_runs import AgentRuns
from cortex_entrypoints.container.tools import ToolSource
from cortex_entrypoints.idle_unloading import IdleUnloading

logger = logging.getLogger(__name__)


class _Engine(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class _AgentRunStore(Protocol):
    async def close(self) -> None: ...


class Lifecycle:
    """Starts the engine, what works on it in the background, and the tools, and stops them in the opposite order.

    Agent runs are not gone on with here, but where a server begins to serve: a command that is over in a second must
    not begin what it cannot end.

    Args:
        engine: Runs the models.
        idle_unloading: Unloads those that nobody uses.
        tool_sources: Offer tools; they are started side by side.
        agent_runs: Are stopped before everything that they use.
        agent_run_store: Is closed when nothing writes to it any more.
    """

    def __init__(
        self,
        *,
        engine: _Engine,
        idle_unloading: IdleUnloading,
        tool_sources: Sequence[ToolSource],
        agent_runs: AgentRuns,
        agent_run_store: _AgentRunStore,
    ) -> None:
        self._engine = engine
        self._idle_unloading = idle_unloading
        self._tool_sources = tool_sources
        self._agent_runs = agent_runs
        self._agent_run_store = agent_run_store

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
        await self._agent_runs.stop()
        await self._agent_run_store.close()
        stopped = await asyncio.gather(*(source.stop() for source in self._tool_sources), return_exceptions=True)
        await self._idle_unloading.stop()
        await self._engine.stop()
        for failure in stopped:
            if failure is not None:
                logger.error("a source of tools did not stop", exc_info=failure)
