"""Tools over HTTP: what is on is listed and can be used, what fails answers, what is off is not there."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import pytest

from cortex_adapters.fake import FakeToolProvider, ScriptedToolUse
from cortex_adapters.python_functions import FunctionToolProvider, tool
from cortex_adapters.system.clock import SystemClock
from cortex_domain.tool_execution import (
    ToolContext,
    ToolDescriptor,
    ToolEffect,
    ToolImage,
    ToolJson,
    ToolOutput,
    ToolText,
)
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_domain.tools import ToolDefinition
from tests.entrypoints.http.live_server import FakeAdapters, live_server
from tests.entrypoints.http.stream_client import Leave, close, half_close, reset, send_chat


@tool(effects=[ToolEffect.WRITES_LOCAL, ToolEffect.NETWORK], is_idempotent=True, timeout_s=5)
async def store(text: str, times: int = 1) -> str:
    """Keeps a text.

    Args:
        text: What to keep.
    """
    return text * times


@tool(is_trusted=False, is_concurrent=True)
async def look(context: ToolContext) -> ToolOutput:
    """Looks around."""
    image = ToolImage(data=b"\x89PNG\xff", media_type="image/png")
    return ToolOutput(content=(ToolText(text=f"for {context.owner}"), ToolJson(value={"a": [1, None]}), image))


@tool
def break_down() -> None:
    """Fails."""
    raise KeyError("secret")


def adapters(**tools: ToolPermission) -> FakeAdapters:
    provider = FunctionToolProvider([store, look, break_down])
    return FakeAdapters(tools=provider, tool_policy=ToolPolicy(tools=tools))


async def invoke(name: str, body: Mapping[str, Any] | None = None, **tools: ToolPermission) -> Any:
    async with live_server(adapters=adapters(**tools)) as server:
        response = await server.client.post(f"/api/tools/{name}/invoke", json=body if body is not None else {})
        return response.status_code, response.json()


async def test_tools_are_listed_with_all_that_decides_about_them() -> None:
    async with live_server(adapters=adapters()) as server:
        tools = (await server.client.get("/api/tools")).json()["tools"]
        described = (await server.client.get("/api/tools/store")).json()
    assert [listed["name"] for listed in tools] == ["break_down", "look", "store"]
    assert tools[2] == described
    assert described == {
        "name": "store",
        "description": "Keeps a text.",
        "parameters": {
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "What to keep."},
                "times": {"type": "integer", "default": 1},
            },
            "required": ["text"],
            "additionalProperties": False,
        },
        "effects": ["network", "writes_local"],
        "policy": "ask",
        "is_idempotent": True,
        "is_concurrent": False,
        "is_trusted": True,
        "timeout_s": 5.0,
    }


async def test_a_tool_is_used_and_its_caller_counts_as_asked() -> None:
    status, answer = await invoke("store", {"arguments": {"text": "ab", "times": 2}})
    assert status == 200
    assert answer.pop("duration_ms") >= 0
    assert answer == {
        "status": "ok",
        "content": [{"type": "text", "text": "abab"}],
        "is_trusted": True,
        "is_truncated": False,
        "attempts": 1,
    }


async def test_content_of_every_kind() -> None:
    status, answer = await invoke("look", {"owner": "ann"})
    assert (status, answer["is_trusted"]) == (200, False)
    text, value, image = answer["content"]
    assert (text, value) == ({"type": "text", "text": "for ann"}, {"type": "json", "value": {"a": [1, None]}})
    assert (image["type"], image["media_type"]) == ("image", "image/png")
    assert base64.b64decode(image["data"]) == b"\x89PNG\xff"


async def test_without_a_body_there_are_no_arguments() -> None:
    async with live_server(adapters=adapters()) as server:
        response = await server.client.post("/api/tools/look/invoke")
    assert (response.status_code, response.json()["status"]) == (200, "ok")


@pytest.mark.parametrize(
    ("name", "arguments", "code", "told"),
    [
        ("store", {}, "invalid_arguments", "text: it is required"),
        ("store", {"text": 1}, "invalid_arguments", "text: Input should be a valid string"),
        ("store", {"text": "a" * 1_000_001}, "invalid_arguments", "at most 1000000 bytes"),
        ("break_down", {}, "internal_error", "The log says why"),
    ],
)
async def test_what_a_tool_cannot_do_is_an_answer(
    name: str, arguments: Mapping[str, Any], code: str, told: str
) -> None:
    status, answer = await invoke(name, {"arguments": arguments})
    assert (status, answer["status"], answer["content"]) == (200, "error", [])
    assert answer["error"]["code"] == code
    assert told in answer["error"]["message"]
    assert "secret" not in str(answer)


async def test_what_the_policy_denies_is_refused() -> None:
    status, answer = await invoke("store", {"arguments": {"text": "a"}}, store=ToolPermission.DENY)
    assert (status, answer["error"]["code"]) == (403, "tool_denied")


@pytest.mark.parametrize("name", ["nobody", "a b", "x" * 300, "%F0%9F%98%80"])
async def test_a_tool_that_is_not_there(name: str) -> None:
    async with live_server(adapters=adapters()) as server:
        for response in (
            await server.client.get(f"/api/tools/{name}"),
            await server.client.post(f"/api/tools/{name}/invoke", json={"arguments": {}}),
        ):
            assert (response.status_code, response.json()["error"]["code"]) == (404, "tool_not_found")


@pytest.mark.parametrize(
    ("body", "param"),
    [({"arguments": [1]}, "arguments"), ({"arguments": None}, "arguments"), ({"argument": {}}, "argument")],
)
async def test_a_body_of_another_shape_is_refused(body: Mapping[str, Any], param: str) -> None:
    status, answer = await invoke("store", body)
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (400, "invalid_request", param)


@pytest.mark.parametrize("leave", [close, reset, half_close])
async def test_a_client_that_leaves_ends_the_work(leave: Leave) -> None:
    clock = SystemClock()
    waiting = FakeToolProvider(
        [ToolDescriptor(definition=ToolDefinition(name="wait"))],
        clock=clock,
        script={"wait": [ScriptedToolUse(delay_s=None)]},
    )
    async with live_server(adapters=FakeAdapters(tools=waiting, clock=clock)) as server, asyncio.timeout(20):
        connection = await send_chat(server.port, "/api/tools/wait/invoke", {"arguments": {}})
        while not waiting.running:
            await asyncio.sleep(0.005)
        leave(connection)
        while waiting.running:
            await asyncio.sleep(0.005)
        connection.close()


async def test_a_server_that_stops_ends_the_work_after_its_grace() -> None:
    waiting = FakeToolProvider(
        [ToolDescriptor(definition=ToolDefinition(name="wait"))],
        clock=SystemClock(),
        script={"wait": [ScriptedToolUse(delay_s=None)]},
    )
    async with live_server(adapters=FakeAdapters(tools=waiting), shutdown_grace_s=0.05) as server:
        asked = asyncio.create_task(server.client.post("/api/tools/wait/invoke", json={}))
        while not waiting.running:
            await asyncio.sleep(0.005)
        server.stop.set()
        response = await asked
    assert (response.status_code, response.json()["error"]["code"]) == (503, "shutting_down")
    assert waiting.running == set()
