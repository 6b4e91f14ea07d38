"""Agents over HTTP, through a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cortex_adapters.agent_files import TomlAgentCatalog
from cortex_adapters.combined import CombinedAgentRegistry
from cortex_adapters.fake import FakeToolProvider
from cortex_adapters.in_memory import InMemoryAgentRegistry
from cortex_adapters.system.clock import SystemClock
from cortex_domain.agents import AgentDefinition
from cortex_domain.tool_execution import ToolDescriptor
from cortex_domain.tools import ToolDefinition
from tests.adapters.agent_files.parsing import parse
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

AGENTS = "/api/agents"
MOLE = {"name": "mole", "instructions": "Dig.", "tools": ["look", "dig_*", "shout"], "budgets": {"steps": 3}}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    (tmp_path / "wrong.toml").write_text("tools = 5")
    clock = SystemClock()
    tools = [ToolDescriptor(definition=ToolDefinition(name=name)) for name in ("look", "dig_deep")]
    built_in = InMemoryAgentRegistry([AgentDefinition(name="assistant", tools=("*",))])
    registry = CombinedAgentRegistry([TomlAgentCatalog(tmp_path, parse=parse), built_in], InMemoryAgentRegistry())
    adapters = FakeAdapters(clock=clock, tools=FakeToolProvider(tools, clock=clock), agents=registry)
    async with live_server(adapters=adapters, enable_agents=True) as running:
        yield running


async def test_what_is_put_is_listed_and_told(server: LiveServer) -> None:
    put = await server.client.post(AGENTS, json=MOLE)
    assert put.status_code == 200
    described = put.json()
    assert {name: described["agent"][name] for name in ("name", "instructions", "tools")} == {
        name: MOLE[name] for name in ("name", "instructions", "tools")
    }
    assert described["agent"]["budgets"]["steps"] == 3
    assert described["unavailable_tools"] == ["shout"]
    assert (await server.client.get(f"{AGENTS}/mole")).json() == described
    listed = (await server.client.get(AGENTS)).json()["agents"]
    assert [agent["agent"]["name"] for agent in listed] == ["assistant", "mole"]


async def test_putting_again_replaces_and_deleting_removes(server: LiveServer) -> None:
    await server.client.post(AGENTS, json=MOLE)
    assert (await server.client.post(AGENTS, json={"name": "mole"})).json()["agent"]["tools"] == []
    assert (await server.client.delete(f"{AGENTS}/mole")).status_code == 204
    for refused in (await server.client.get(f"{AGENTS}/mole"), await server.client.delete(f"{AGENTS}/mole")):
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "agent_not_found")


async def test_what_is_built_in_stays(server: LiveServer) -> None:
    for refused in (
        await server.client.post(AGENTS, json={"name": "assistant"}),
        await server.client.delete(f"{AGENTS}/assistant"),
    ):
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "agent_read_only")


async def test_a_file_that_is_wrong_says_so(server: LiveServer) -> None:
    refused = await server.client.get(f"{AGENTS}/wrong")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_agent")
    assert "wrong.toml: tools: Input should be a valid list" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "name"),
        ({"name": "No Name"}, "name"),
        ({"name": "mole", "tool": []}, "tool"),
        ({"name": "mole", "policy": {"effects": {"flies": "allow"}}}, "policy.effects.flies"),
        ({"name": "mole", "budgets": {"steps": 0}}, "budgets.steps"),
        ({"name": "mole", "output": {"type": "regex", "pattern": "a"}}, "output.type"),
        ({"name": "mole", "sampling": {"temperature": 9}}, "sampling.temperature"),
    ],
)
async def test_what_is_wrong_is_named(server: LiveServer, body: dict[str, Any], parameter: str) -> None:
    refused = await server.client.post(AGENTS, json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"].startswith(parameter)


@pytest.mark.parametrize("path", [AGENTS, f"{AGENTS}/mole", "/api/agent-runs", "/api/agent-runs/run_1/events"])
async def test_switched_off_there_are_none(path: str) -> None:
    async with live_server() as server:
        for method in ("GET", "POST", "DELETE"):
            answer = await server.client.request(method, path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "route_not_found")
