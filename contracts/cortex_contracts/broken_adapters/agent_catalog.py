"""Agent catalogues that are wrong in one way each."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cortex_contracts.agent_catalog import AgentCatalogHarness
from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError
from cortex_domain.ports import AgentCatalog


class _Passing(AgentCatalog):
    """Wrong in no way yet."""

    def __init__(self, inner: AgentCatalog) -> None:
        self._inner = inner

    async def list_agents(self) -> Sequence[AgentDefinition]:
        return await self._inner.list_agents()

    async def get_agent(self, name: str, /) -> AgentDefinition:
        return await self._inner.get_agent(name)


class _ListsBackwards(_Passing):
    async def list_agents(self) -> Sequence[AgentDefinition]:
        return (await super().list_agents())[::-1]


class _LosesDescriptions(_Passing):
    async def list_agents(self) -> Sequence[AgentDefinition]:
        return [replace(agent, description="") for agent in await super().list_agents()]

    async def get_agent(self, name: str, /) -> AgentDefinition:
        return replace(await super().get_agent(name), description="")


class _ListsOutlines(_Passing):
    async def list_agents(self) -> Sequence[AgentDefinition]:
        return [AgentDefinition(name=agent.name) for agent in await super().list_agents()]


class _TrimsNames(_Passing):
    async def get_agent(self, name: str, /) -> AgentDefinition:
        try:
            return await super().get_agent(name.strip())
        except AgentNotFoundError:
            raise AgentNotFoundError(name=name) from None


def _breakage(requirement_id: str, broken: Callable[[AgentCatalog], AgentCatalog]) -> Breakage[AgentCatalogHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, catalog=broken(harness.catalog)))


BROKEN_AGENT_CATALOGS = (
    _breakage("agent_catalog.lists_by_name", _ListsBackwards),
    _breakage("agent_catalog.tells_whole_definitions", _LosesDescriptions),
    _breakage("agent_catalog.lists_what_it_finds", _ListsOutlines),
    _breakage("agent_catalog.unknown_refused", _TrimsNames),
)
