"""The contract of `cortex_domain.ports.AgentCatalog`."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from cortex_contracts.checks import checks
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError
from cortex_domain.ports import AgentCatalog


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCatalogHarness:
    """What the contract needs.

    Attributes:
        catalog: The adapter under test.
        agents: All that is in it, at least two, in any order.
        missing: A name that nothing in it has.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    catalog: AgentCatalog
    agents: Sequence[AgentDefinition]
    missing: str = "nobody"
    patience_s: float = 60.0


@pytest.mark.asyncio
class AgentCatalogContract:
    """Subclass this and define a fixture `harness` that returns an `AgentCatalogHarness`."""

    @checks("agent_catalog.lists_by_name")
    async def test_lists_by_name(self, harness: AgentCatalogHarness) -> None:
        """Compares the names listed with those that are there."""
        listed = [agent.name for agent in await harness.catalog.list_agents()]
        assert listed == sorted(agent.name for agent in harness.agents)

    @checks("agent_catalog.tells_whole_definitions")
    async def test_tells_whole_definitions(self, harness: AgentCatalogHarness) -> None:
        """Compares what is found with what is there, field by field."""
        for agent in harness.agents:
            assert await harness.catalog.get_agent(agent.name) == agent

    @checks("agent_catalog.lists_what_it_finds")
    async def test_lists_what_it_finds(self, harness: AgentCatalogHarness) -> None:
        """Asks for each listed agent by its name."""
        for agent in await harness.catalog.list_agents():
            assert await harness.catalog.get_agent(agent.name) == agent

    @checks("agent_catalog.unknown_refused")
    async def test_unknown_refused(self, harness: AgentCatalogHarness) -> None:
        """Asks for names that no agent has, some of which none can have."""
        for name in (harness.missing, "", f"{harness.agents[0].name}\n", "../secrets", "a" * 5_000):
            with pytest.raises(AgentNotFoundError) as caught:
                await harness.catalog.get_agent(name)
            assert caught.value.name == name
