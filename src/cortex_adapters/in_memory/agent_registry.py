"""Agents that are given when the program starts, or while it runs."""

from collections.abc import Iterable, Sequence

from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError
from cortex_domain.ports import AgentRegistry


class InMemoryAgentRegistry(AgentRegistry):
    """Keeps agents in a table.

    Args:
        agents: Those that are there from the start; of several of one name the last.
    """

    def __init__(self, agents: Iterable[AgentDefinition] = ()) -> None:
        self._agents = {agent.name: agent for agent in agents}

    async def list_agents(self) -> Sequence[AgentDefinition]:
        """Lists the agents."""
        return [self._agents[name] for name in sorted(self._agents)]

    async def get_agent(self, name: str, /) -> AgentDefinition:
        """Finds an agent."""
        if name not in self._agents:
            raise AgentNotFoundError(name=name)
        return self._agents[name]

    async def put_agent(self, agent: AgentDefinition, /) -> None:
        """Adds or replaces an agent."""
        self._agents[agent.name] = agent

    async def delete_agent(self, name: str, /) -> None:
        """Removes an agent."""
        if self._agents.pop(name, None) is None:
            raise AgentNotFoundError(name=name)
