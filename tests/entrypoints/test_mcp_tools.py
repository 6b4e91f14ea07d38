"""Tools of configured MCP servers, wired: under the policy, and refused clearly when they cannot be had."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from cortex_domain.tool_execution import ToolCall, ToolFinished, ToolText
from cortex_domain.tool_plan import ToolTerms
from cortex_entrypoints import Cortex, Settings, SettingsError, open_cortex
from cortex_entrypoints.container import build_container

RAW_SERVER = Path(__file__).parents[1] / "adapters" / "mcp" / "raw_server.py"


@pytest.fixture
def mcp_config(tmp_path: Path) -> Path:
    raw = {"command": sys.executable, "args": ["-S", "-E", str(RAW_SERVER)]}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"raw": raw, "gone": {"command": "/nowhere/at/all"}}}))
    return path


def settings(mcp_config: Path, **more: Any) -> Settings:
    return Settings(default_model="fake/echo", mcp_config=mcp_config, **more)


async def echoed(cortex: Cortex) -> ToolFinished:
    async with asyncio.timeout(30):
        while not await cortex.tool_provider.list_tools():
            await asyncio.sleep(0.01)
    call = ToolCall(id="1", name="raw__echo", arguments={"text": "hello"})
    async with cortex.execute_tools([call], ToolTerms(policies=(cortex.tool_policy,))) as events:
        [finished] = [event async for event in events if isinstance(event, ToolFinished)]
    return finished


async def test_a_person_is_asked_unless_the_operator_says_otherwise(mcp_config: Path) -> None:
    async with open_cortex(settings(mcp_config)) as cortex:
        finished = await echoed(cortex)
    assert finished.error is not None
    assert finished.error.code == "approval_required"


async def test_a_tool_that_is_allowed_is_used_and_nothing_of_its_server_stays(mcp_config: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    async with open_cortex(settings(mcp_config, tools_allow=("raw__echo",))) as cortex:
        finished = await echoed(cortex)
    assert finished.content == (ToolText(text="hello"),)
    assert not finished.is_trusted
    assert not set(psutil.Process().children(recursive=True)) - before


def test_a_configuration_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MCP_CONFIG: .*nothing\.json cannot be read") as raised:
        build_container(settings(tmp_path / "nothing.json")).cortex()
    assert raised.value.variable == "MCP_CONFIG"
