"""The SDK's own client, of every version of the protocol that it speaks, against a live server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from cortex_adapters.fake import FakeToolProvider, ScriptedReply, ScriptedToolUse
from cortex_adapters.system import SystemClock
from cortex_domain.tool_execution import (
    ToolContent,
    ToolDescriptor,
    ToolEffect,
    ToolImage,
    ToolJson,
    ToolOutput,
    ToolText,
)
from cortex_domain.tools import ToolDefinition
from cortex_entrypoints.http.mcp.exposed_tools import UNTRUSTED_KEY
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

pytestmark = pytest.mark.parametrize("mode", ["auto", "legacy"])


def described(name: str, *effects: ToolEffect, is_trusted: bool = True) -> ToolDescriptor:
    parameters = {"properties": {"text": {"type": "string"}}, "required": ["text"]} if name == "echo" else {}
    definition = ToolDefinition(name=name, description=f"Does {name}.", parameters=parameters)
    return ToolDescriptor(definition=definition, effects=frozenset(effects), is_trusted=is_trusted)


def provider(*uses: ScriptedToolUse) -> FakeToolProvider:
    tools = (
        described("echo"),
        described("read", ToolEffect.READS_LOCAL),
        described("fetch", ToolEffect.NETWORK, is_trusted=False),
        described("write", ToolEffect.WRITES_LOCAL),
    )
    return FakeToolProvider(tools, clock=SystemClock(), script={"read": uses, "fetch": uses})


@asynccontextmanager
async def connected(
    mode: str, tools: FakeToolProvider | None = None, *, script: list[ScriptedReply | str] | None = None
) -> AsyncIterator[tuple[Client, LiveServer]]:
    adapters = FakeAdapters(tools=tools or provider(), script=script)
    async with (
        live_server(adapters=adapters, enable_mcp_server=True) as server,
        Client(f"{server.url}/mcp", mode=mode) as client,
    ):
        yield client, server


def texts(result: CallToolResult) -> list[str]:
    return [block.text for block in result.content if isinstance(block, TextContent)]


async def test_tools_that_need_nobodys_word_are_listed(mode: str) -> None:
    async with connected(mode) as (client, _):
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert client.server_info is not None
        assert client.server_info.name == "cortex"
    assert list(listed) == ["chat", "echo", "read", "fetch"]
    assert listed["echo"].input_schema["required"] == ["text"]
    assert listed["chat"].input_schema["required"] == ["message"]
    hints = [listed[name].annotations for name in ("echo", "fetch")]
    assert [hint.open_world_hint for hint in hints if hint] == [False, True]
    assert all(hint and hint.read_only_hint for hint in hints)


async def test_a_tool_is_used(mode: str) -> None:
    async with connected(mode) as (client, _):
        result = await client.call_tool("echo", {"text": "hello"})
    assert not result.is_error
    assert result.structured_content == {"text": "hello"}
    assert texts(result) == ['{"text": "hello"}']
    assert UNTRUSTED_KEY not in (result.meta or {})


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (ToolText(text="a"), "text"),
        (ToolJson(value=[1]), "text"),
        (ToolImage(data=b"p", media_type="image/png"), "image"),
    ],
)
async def test_each_kind_of_content(mode: str, content: ToolContent, kind: str) -> None:
    tools = provider(ScriptedToolUse(output=ToolOutput(content=(content,))))
    async with connected(mode, tools) as (client, _):
        result = await client.call_tool("read")
    assert [block.type for block in result.content] == [kind]
    assert result.structured_content is None


async def test_what_others_wrote_is_marked(mode: str) -> None:
    async with connected(mode) as (client, _):
        result = await client.call_tool("fetch")
    assert (result.meta or {})[UNTRUSTED_KEY] is True


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("write", {}, "approval_required"),
        ("nothing", {}, "tool_not_found"),
        ("echo", {"text": 1}, "invalid_arguments"),
        ("chat", {}, "invalid_arguments: message"),
        ("chat", {"message": "a", "temperature": 2}, "invalid_arguments: temperature"),
        ("chat", {"message": "a", "model": "no/such"}, "model_not_found"),
    ],
)
async def test_what_cannot_be_done_is_said_in_the_result(
    mode: str, name: str, arguments: dict[str, object], code: str
) -> None:
    async with connected(mode) as (client, _):
        result = await client.call_tool(name, arguments)
    assert result.is_error
    assert texts(result)[0].startswith(code)


async def test_a_model_answers(mode: str) -> None:
    async with connected(mode) as (client, _):
        result = await client.call_tool("chat", {"message": "Good morning", "system": "Be short."})
    assert not result.is_error
    assert texts(result) == ["Good morning"]


async def test_an_answer_that_is_cut_says_so(mode: str) -> None:
    words = "word " * 3_000
    async with connected(mode, script=[words]) as (client, _):
        result = await client.call_tool("chat", {"message": "Speak."})
    assert texts(result)[1:] == ["[The answer is cut: it reached the longest length.]"]


async def test_progress_is_told(mode: str) -> None:
    reports: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, total, message))

    tools = provider(ScriptedToolUse(progress=(("half", 0.5),), delay_s=0.1))
    async with connected(mode, tools) as (client, _):
        await client.call_tool("read", progress_callback=note)
    assert reports == [(0.5, 1.0, "half")]


async def test_a_client_that_gives_up_cancels(mode: str) -> None:
    tools = provider(ScriptedToolUse(delay_s=None))
    async with connected(mode, tools) as (client, _):
        use = asyncio.create_task(client.call_tool("read"))
        await until_running(tools, 1)
        use.cancel()
        await until_running(tools, 0)
        assert not (await client.call_tool("echo", {"text": "on"})).is_error


async def test_a_client_that_is_gone_cancels(mode: str) -> None:
    tools = provider(ScriptedToolUse(delay_s=None))
    adapters = FakeAdapters(tools=tools)
    async with live_server(adapters=adapters, enable_mcp_server=True) as server:
        leaving = asyncio.create_task(use_and_leave(f"{server.url}/mcp", mode))
        await until_running(tools, 1)
        leaving.cancel()
        await until_running(tools, 0)


async def use_and_leave(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        await client.call_tool("read")


async def until_running(tools: FakeToolProvider, number: int) -> None:
    async with asyncio.timeout(20):
        while len(tools.running) != number:
            await asyncio.sleep(0.005)


async def test_a_server_that_stops_lets_uses_end(mode: str) -> None:
    tools = provider(ScriptedToolUse(delay_s=0.3))
    async with connected(mode, tools) as (client, server):
        await client.list_tools()  # or the SDK asks for it after the use, to check what it got
        use = asyncio.create_task(client.call_tool("read"))
        await until_running(tools, 1)
        server.stop.set()
        assert not (await use).is_error
        async with asyncio.timeout(20):
            await asyncio.wait([server.ended])


async def test_many_clients_at_once(mode: str) -> None:
    async def one(url: str, number: int) -> str:
        async with Client(url, mode=mode) as client:
            return texts(await client.call_tool("echo", {"text": str(number)}))[0]

    async with connected(mode) as (_, server):
        said = await asyncio.gather(*(one(f"{server.url}/mcp", number) for number in range(20)))
    assert said == [f'{{"text": "{number}"}}' for number in range(20)]
