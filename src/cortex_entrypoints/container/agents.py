"""Where agents come from: people's files, what is built in, and what programs put there."""

from collections.abc import Mapping
from typing import Any, Final

from cortex_adapters.agent_files import JsonAgentRegistry, TomlAgentCatalog
from cortex_adapters.combined import CombinedAgentRegistry
from cortex_adapters.in_memory import InMemoryAgentRegistry
from cortex_domain.agents import AgentDefinition
from cortex_domain.ports import AgentRegistry
from cortex_entrypoints.built_in_agents import BUILT_IN_AGENTS
from cortex_entrypoints.http.agent_bodies import AgentBody, write_agent
from cortex_entrypoints.http.json_parsing import validate_body
from cortex_entrypoints.settings import Settings

_PUT_AGENTS: Final = "agents"


def build_agent_registry(settings: Settings) -> AgentRegistry:
    """Builds the registry: files go before what is built in, and neither can be replaced by a program."""
    return CombinedAgentRegistry(
        [TomlAgentCatalog(settings.agents_dir, parse=_parse), InMemoryAgentRegistry(BUILT_IN_AGENTS)],
        JsonAgentRegistry(settings.data_dir / _PUT_AGENTS, parse=_parse, write=write_agent),
    )


def _parse(fields: Mapping[str, Any]) -> AgentDefinition:
    return validate_body(dict(fields), AgentBody).to_domain()
