"""A server in a subprocess loses its own tools when it misbehaves, and nothing else; and nothing of it stays."""

import asyncio
import json
import os
from pathlib import Path

import psutil
import pytest

from cortex_adapters.mcp import McpServer, McpServerState, McpToolProvider, StdioConnection, ToolWord
from cortex_adapters.mcp.server_session import MAX_TOOLS
from cortex_domain.errors import InvalidToolArgumentsError, ToolFailedError, ToolNotFoundError
from cortex_domain.tool_execution import ToolEffect, ToolText
from tests.adapters.mcp.servers import context, provided, raw_server, until


async def until_still(path: Path) -> None:
    """Waits until nobody writes to a file any more."""
    size = -1
    async with asyncio.timeout(30):
        while path.stat().st_size != size:
            size = path.stat().st_size
            await asyncio.sleep(0.3)


async def names(provider: McpToolProvider) -> list[str]:
    return [tool.name for tool in await provider.list_tools()]


async def said(provider: McpToolProvider, tool: str, **arguments: object) -> str:
    [block] = (await provider.invoke(tool, arguments, context())).content
    assert isinstance(block, ToolText)
    return block.text


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("exits", "no such database"),
        ("endless-line", "longer than"),
        ("garbage-only", "no message"),
        ("missing", "No such file"),
        ("no-schema", "protocol does not allow"),
    ],
)
async def test_a_server_that_cannot_be_used_loses_its_own_tools(
    mode: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = McpServer(name="bad", connection=StdioConnection(command="/nowhere/at/all"))
    async with provided(nowhere if mode == "missing" else raw_server(mode, name="bad"), raw_server()) as provider:
        bad, good = provider.statuses()
        assert (bad.state, good.state) == (McpServerState.WAITING, McpServerState.READY)
        assert problem in (bad.problem or "")
        assert "'bad' is not there" in caplog.text
        assert await said(provider, "raw__echo", text="still here") == "still here"


async def test_lines_that_are_no_messages_are_passed_over() -> None:
    async with provided(raw_server("garbage")) as provider:
        assert await said(provider, "raw__echo", text="heard") == "heard"


async def test_a_silent_server_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = McpToolProvider([raw_server("silent", name="mute"), raw_server()], version="0")
    monkeypatch.setattr("cortex_adapters.mcp.tool_provider.HEAD_START_S", 0.2)
    await provider.start()
    try:
        await until(lambda: provider.statuses()[1].state is McpServerState.READY)
        assert "raw__echo" in await names(provider)
        assert provider.statuses()[0].state is McpServerState.STARTING
        assert await said(provider, "raw__echo", text="quick") == "quick"
    finally:
        await provider.stop()
    assert [status.state for status in provider.statuses()] == [McpServerState.STOPPED] * 2


async def test_a_silent_server_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_adapters.mcp.supervised_server.START_PATIENCE_S", 0.2)
    async with provided(raw_server("silent")) as provider:
        assert "within 0.2 seconds" in (provider.statuses()[0].problem or "")


async def test_a_server_that_ends_during_a_call_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    async with provided(raw_server(), raw_server(name="other")) as provider:
        with pytest.raises(ToolFailedError, match="no paper") as raised:
            await provider.invoke("raw__exit", {}, context())
        assert (raised.value.reason, raised.value.is_transient) == ("server_gone", True)
        assert await said(provider, "other__echo", text="untouched") == "untouched"
        await until(lambda: provider.statuses()[0].state is not McpServerState.READY)
        with pytest.raises(ToolNotFoundError):
            await provider.invoke("raw__echo", {"text": "a"}, context())
        await until(lambda: provider.statuses()[0].state is McpServerState.READY)
        assert await said(provider, "raw__echo", text="again") == "again"


async def test_a_result_that_is_too_long_fails_one_use() -> None:
    async with provided(raw_server()) as provider:
        with pytest.raises(ToolFailedError, match="longer than 8388608 bytes"):
            await provider.invoke("raw__huge", {}, context())


async def test_a_tool_that_fails_or_answers_nonsense() -> None:
    async with provided(raw_server()) as provider:
        with pytest.raises(ToolFailedError, match=r"It is broken\."):
            await provider.invoke("raw__fail", {}, context())
        with pytest.raises(ToolFailedError, match="no result"):
            await provider.invoke("raw__invalid", {}, context())


async def test_wrong_arguments_do_not_reach_the_server() -> None:
    async with provided(raw_server()) as provider:
        with pytest.raises(InvalidToolArgumentsError, match="'text' is a required property"):
            await provider.invoke("raw__echo", {}, context())


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    async with provided(raw_server(tools={"slow": ToolWord(timeout_s=0.2)})) as provider:
        with pytest.raises(ToolFailedError) as raised:
            await provider.invoke("raw__slow", {}, context())
        assert raised.value.reason == "timeout"
        assert await said(provider, "raw__echo", text="fine") == "fine"


async def test_a_use_that_is_cancelled_ends_at_the_server(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    async with provided(raw_server()) as provider:
        use = asyncio.create_task(provider.invoke("raw__slow", {"path": str(trace)}, context()))
        await until(trace.exists)
        use.cancel()
        await asyncio.wait([use])
        assert use.cancelled()
        await until_still(trace)


async def test_progress_is_passed_on() -> None:
    reports: list[tuple[str, float | None]] = []
    async with provided(raw_server()) as provider:
        use = asyncio.create_task(provider.invoke("raw__slow", {}, context(lambda *report: reports.append(report))))
        await until(lambda: bool(reports))
        use.cancel()
        await asyncio.wait([use])
    assert reports == [("one", 0.25)]


async def test_a_server_learns_nothing_of_cortex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    server = raw_server()
    assert isinstance(server.connection, StdioConnection)
    given = StdioConnection(command=server.connection.command, args=server.connection.args, env={"KEY": "its own"})
    async with provided(McpServer(name="raw", connection=given)) as provider:
        environment = json.loads(await said(provider, "raw__environment"))
    assert environment["KEY"] == "its own"
    assert environment["PATH"] == os.environ["PATH"]
    assert "HF_TOKEN" not in environment
    assert not {name for name in environment if name.startswith(("CORTEX", "PYTHON"))}


async def test_nothing_of_a_server_stays() -> None:
    before = set(psutil.Process().children(recursive=True))
    async with provided(raw_server(), raw_server("stubborn", name="stubborn")) as provider:
        child = int(await said(provider, "raw__spawn"))
        assert psutil.pid_exists(child)
        assert len(set(psutil.Process().children(recursive=True)) - before) == 3
    await until(lambda: not (set(psutil.Process().children(recursive=True)) - before))
    await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


async def test_too_many_tools_are_cut_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async with provided(raw_server("many-tools")) as provider:
        assert len(await provider.list_tools()) == MAX_TOOLS
    assert f"more than {MAX_TOOLS} tools" in caplog.text


async def test_a_listing_without_an_end_is_ended() -> None:
    async with provided(raw_server("endless")) as provider:
        assert provider.statuses()[0].state is McpServerState.READY
        assert 0 < len(await provider.list_tools()) <= MAX_TOOLS


async def test_tools_that_make_no_sense_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async with provided(raw_server("nonsense")) as provider:
        listed = await names(provider)
        assert listed == ["raw__echo", "raw__bad3"]
        with pytest.raises(ToolFailedError, match="cannot be checked"):
            await provider.invoke("raw__bad3", {"a": 1}, context())
    assert "'echo' is offered twice" in caplog.text


async def test_news_of_tools_are_heeded() -> None:
    async with provided(raw_server("new-tools")) as provider:
        assert await names(provider) == ["raw__echo"]
        await said(provider, "raw__echo", text="a")
        await until(lambda: len(provider.statuses()[0].tools) == 2)


async def test_a_flood_of_news_leaves_time_for_others() -> None:
    async with provided(raw_server(tools={"flood": ToolWord(timeout_s=1)}), raw_server(name="other")) as provider:
        flood = asyncio.create_task(provider.invoke("raw__flood", {}, context()))
        for number in range(20):
            assert await said(provider, "other__echo", text=str(number)) == str(number)
        with pytest.raises(ToolFailedError):
            await flood


async def test_a_server_that_does_not_listen_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_adapters.mcp.stdio_transport._WRITE_PATIENCE_S", 0.2)
    async with provided(raw_server("deaf")) as provider:
        with pytest.raises(ToolFailedError, match="does not read what it is told"):
            await provider.invoke("raw__echo", {"text": "x" * 900_000}, context())


async def test_a_server_that_complains_without_end_is_heard_out() -> None:
    async with provided(raw_server("noisy"), raw_server(name="other")) as provider:
        for number in range(20):
            assert await said(provider, "raw__echo", text=str(number)) == str(number)
            assert await said(provider, "other__echo", text=str(number)) == str(number)


async def test_tools_are_waited_for_at_the_start() -> None:
    provider = McpToolProvider([raw_server(), raw_server("exits", name="bad")], version="0")
    await provider.start()
    try:
        assert "raw__echo" in await names(provider)
    finally:
        await provider.stop()


async def test_the_operator_says_what_tools_do() -> None:
    words = {"echo": ToolWord(effects=frozenset(), idempotent=True, concurrent=True), "slow": ToolWord(disabled=True)}
    async with provided(raw_server(tools=words, timeout_s=7)) as provider:
        tools = {tool.name: tool for tool in await provider.list_tools()}
    assert "raw__slow" not in tools
    assert (tools["raw__echo"].effects, tools["raw__echo"].is_idempotent) == (frozenset(), True)
    assert tools["raw__fail"].effects == {ToolEffect.NETWORK, ToolEffect.WRITES_LOCAL}
    assert tools["raw__fail"].timeout_s == 7
    assert not tools["raw__fail"].is_trusted


async def test_many_uses_run_side_by_side() -> None:
    async with provided(raw_server()) as provider:
        answers = await asyncio.gather(*(said(provider, "raw__echo", text=str(number)) for number in range(200)))
    assert answers == [str(number) for number in range(200)]


async def test_stopping_before_starting_and_twice() -> None:
    provider = McpToolProvider([raw_server()], version="0")
    await provider.stop()
    await provider.start()
    await provider.stop()
    await provider.stop()
    assert await provider.list_tools() == []
