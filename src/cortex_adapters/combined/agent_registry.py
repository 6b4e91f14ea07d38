"""Agents of several catalogues as one."""

from collections.abc import Sequence

from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError, AgentReadOnlyError, InvalidAgentError
from cortex_domain.ports import AgentCatalog, AgentRegistry


class CombinedAgentRegistry(AgentRegistry):
    """An agent is that of the first catalogue that has its name; agents are put into the registry, which comes last.

    A name whose definition is wrong belongs to the catalogue that has it all the same: no other agent takes its place.

    Args:
        catalogs: What cannot be replaced, most trusted first.
        registry: Where agents are put.
    """

    def __init__(self, catalogs: Sequence[AgentCatalog], registry: AgentRegistry) -> None:
        self._catalogs = tuple(catalogs)
        self._registry = registry

    async def list_agents(self) -> Sequence[AgentDefinition]:
        """Lists the agents of all catalogues."""
        listed = {agent.name for catalog in (*self._catalogs, self._registry) for agent in await catalog.list_agents()}
        found = [await self._unless_wrong(name) for name in sorted(listed)]
        return [agent for agent in found if agent is not None]

    async def get_agent(self, name: str, /) -> AgentDefinition:
        """Finds an agent where it belongs."""
        for catalog in self._catalogs:
            try:
                return await catalog.get_agent(name)
            except AgentNotFoundError:
                continue
        return await self._registry.get_agent(name)

    async def put_agent(self, agent: AgentDefinition, /) -> None:
        """Puts an agent into the registry, unless a catalogue has one of its name."""
        await self._require_replaceable(agent.name)
        await self._registry.put_agent(agent)

    async def delete_agent(self, name: str, /) -> None:
        """Removes an agent of the registry."""
        await self._require_replaceable(name)
        await self._registry.delete_agent(name)

    async def _unless_wrong(self, name: str) -> AgentDefinition | None:
        try:
            return await self.get_agent(name)
        except (AgentNotFoundError, InvalidAgentError):
            return None

    async def _require_replaceable(self, name: str) -> None:
        for catalog in self._catalogs:
            if await _has(catalog, name):
                raise AgentReadOnlyError(name=name)


async def _has(catalog: AgentCatalog, name: str) -> bool:
    try:
        await catalog.get_agent(name)
    except AgentNotFoundError:
        return False
    except InvalidAgentError:
        return True
    return True
