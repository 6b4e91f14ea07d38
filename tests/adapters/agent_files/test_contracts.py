"""Files keep the contracts of the catalogue and the registry, and so do several catalogues together."""

from pathlib import Path

import pytest

from cortex_adapters.agent_files import JsonAgentRegistry, TomlAgentCatalog
from cortex_adapters.combined import CombinedAgentRegistry
from cortex_adapters.in_memory import InMemoryAgentRegistry
from cortex_contracts.agent_catalog import AgentCatalogContract, AgentCatalogHarness
from cortex_contracts.agent_registry import AgentRegistryContract, AgentRegistryHarness
from cortex_domain.agents import AgentDefinition
from cortex_entrypoints.http.agent_bodies import write_agent
from tests.adapters.agent_files.parsing import parse
from tests.contracts.harnesses import agent_catalog_harness, agent_registry_harness


class TestTomlAgentCatalog(AgentCatalogContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AgentCatalogHarness:
        (tmp_path / "second.toml").write_text('description = "comes second"\ntools = ["read_file"]\n')
        (tmp_path / "first.toml").write_text('name = "first"\ninstructions = """Be first."""\n')
        (tmp_path / "wrong.toml").write_text("tools = 5\n")
        (tmp_path / "notes.md").write_text("no agent")
        agents = (
            AgentDefinition(name="second", description="comes second", tools=("read_file",)),
            AgentDefinition(name="first", instructions="Be first."),
        )
        return AgentCatalogHarness(catalog=TomlAgentCatalog(tmp_path, parse=parse), agents=agents)


class TestInMemoryAgentCatalog(AgentCatalogContract):
    @pytest.fixture
    async def harness(self) -> AgentCatalogHarness:
        return await agent_catalog_harness()


class TestCombinedAgentCatalog(AgentCatalogContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AgentCatalogHarness:
        (tmp_path / "one.toml").write_text('description = "of a file"\n')
        built_in = InMemoryAgentRegistry([AgentDefinition(name="one"), AgentDefinition(name="two")])
        put = InMemoryAgentRegistry([AgentDefinition(name="two", tools=("*",)), AgentDefinition(name="three")])
        combined = CombinedAgentRegistry([TomlAgentCatalog(tmp_path, parse=parse), built_in], put)
        one = AgentDefinition(name="one", description="of a file")
        agents = (one, AgentDefinition(name="two"), AgentDefinition(name="three"))
        return AgentCatalogHarness(catalog=combined, agents=agents)


class TestJsonAgentRegistry(AgentRegistryContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AgentRegistryHarness:
        return AgentRegistryHarness(registry=JsonAgentRegistry(tmp_path / "agents", parse=parse, write=write_agent))


class TestInMemoryAgentRegistry(AgentRegistryContract):
    @pytest.fixture
    async def harness(self) -> AgentRegistryHarness:
        return await agent_registry_harness()


class TestCombinedAgentRegistry(AgentRegistryContract):
    @pytest.fixture
    async def harness(self) -> AgentRegistryHarness:
        built_in = InMemoryAgentRegistry([AgentDefinition(name="one")])
        return AgentRegistryHarness(registry=CombinedAgentRegistry([built_in], InMemoryAgentRegistry()))
