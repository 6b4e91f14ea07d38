"""The agents that are built in, and what goes before them."""

from pathlib import Path

import pytest

from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentReadOnlyError
from cortex_domain.tool_execution import ToolDescriptor, ToolEffect
from cortex_domain.tool_policy import ToolPermission, permission_of
from cortex_domain.tools import ToolDefinition
from cortex_entrypoints import Settings
from cortex_entrypoints.built_in_agents import BUILT_IN_AGENTS, RESEARCHER
from cortex_entrypoints.container.agents import build_agent_registry
from cortex_entrypoints.http.agent_bodies import AgentBody, write_agent


def _tool(name: str, *effects: ToolEffect) -> ToolDescriptor:
    return ToolDescriptor(definition=ToolDefinition(name=name), effects=frozenset(effects))


def test_definitions_survive_being_written() -> None:
    for agent in BUILT_IN_AGENTS:
        assert AgentBody.model_validate(write_agent(agent)).to_domain() == agent


def test_the_researcher_reads_on_without_asking_and_has_nothing_local() -> None:
    fetch = _tool("fetch_page", ToolEffect.NETWORK)
    assert permission_of(fetch, [RESEARCHER.policy], after_untrusted=True) is ToolPermission.ALLOW
    assert not any(RESEARCHER.names_tool(name) for name in ("read_file", "write_file", "run_python"))
    write = _tool("write_file", ToolEffect.WRITES_LOCAL)
    assert permission_of(write, [RESEARCHER.policy], after_untrusted=True) is ToolPermission.ASK


async def test_a_file_goes_before_what_is_built_in(tmp_path: Path) -> None:
    settings = Settings(agents_dir=tmp_path / "agents", data_dir=tmp_path / "data")
    registry = build_agent_registry(settings)
    assert [agent.name for agent in await registry.list_agents()] == ["analyst", "assistant", "researcher"]
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "analyst.toml").write_text('description = "mine"')
    assert (await registry.get_agent("analyst")).description == "mine"
    with pytest.raises(AgentReadOnlyError):
        await registry.put_agent(AgentDefinition(name="assistant"))


async def test_what_was_put_outlives_the_process(tmp_path: Path) -> None:
    settings = Settings(agents_dir=tmp_path / "agents", data_dir=tmp_path / "data")
    await build_agent_registry(settings).put_agent(AgentDefinition(name="mine", tools=("read_*",)))
    assert (await build_agent_registry(settings).get_agent("mine")).tools == ("read_*",)
