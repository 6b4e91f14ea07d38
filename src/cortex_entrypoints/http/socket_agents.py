"""Agents as a WebSocket connection needs them."""

from dataclasses import dataclass

from cortex_domain.ports import AgentRegistry
from cortex_entrypoints.agent_runs import AgentRuns
from cortex_entrypoints.http.agent_run_bodies import AgentRunTaskBody


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketAgents:
    """Starts and finds agent runs.

    Attributes:
        registry: Knows the agents.
        runs: Works on their runs.
    """

    registry: AgentRegistry
    runs: AgentRuns

    async def begin(self, body: AgentRunTaskBody, /) -> str:
        """Starts a run and tells its id.

        Raises:
            AgentNotFoundError: There is no such agent.
            InvalidAgentError: Its definition is wrong.
            GeneratorBusyError: There are as many runs as may.
            ShuttingDownError: Cortex stops.
            StorageError: The run cannot be written down.
        """
        agent = body.adapted(await self.registry.get_agent(body.agent))
        return (await self.runs.begin(agent, body.task, owner=body.owner or "")).started.run_id

    async def find(self, run_id: str, /) -> str:
        """Makes sure that there is such a run.

        Raises:
            AgentRunNotFoundError: There is none.
            StorageError: It cannot be read.
        """
        await self.runs.get(run_id, owner=None)
        return run_id
