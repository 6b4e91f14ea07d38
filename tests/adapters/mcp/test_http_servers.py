"""Servers over streamable HTTP: well-behaved ones of the SDK, and some that are not."""

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cortex_adapters.mcp import HttpConnection, McpServer, McpServerState, McpToolProvider, StdioConnection
from cortex_adapters.mcp.http_transport import MAX_ANSWER_BYTES
from cortex_domain.errors import InvalidToolArgumentsError, ToolFailedError
from cortex_domain.tool_execution import ToolEffect, ToolJson
from tests.adapters.mcp.servers import SDK_SERVER, context, http_server, provided, raw_server, until


@pytest.fixture(scope="module")
async def sdk_url() -> AsyncIterator[str]:
    async with http_server() as url:
        yield url


@pytest.fixture(params=["stdio", "http"])
def sdk_server(request: pytest.FixtureRequest, sdk_url: str) -> McpServer:
    stdio = StdioConnection(command=sys.executable, args=(SDK_SERVER, "stdio"))
    return McpServer(name="sdk", connection=stdio if request.param == "stdio" else HttpConnection(url=sdk_url))


def at(url: str, **headers: str) -> McpServer:
    return McpServer(name="web", connection=HttpConnection(url=url, headers=headers))


async def test_a_server_of_the_sdk(sdk_server: McpServer) -> None:
    reports: list[tuple[str, float | None]] = []
    async with provided(sdk_server) as provider:
        listed = await provider.list_tools()
        assert [tool.name for tool in listed] == ["sdk__add", "sdk__fail", "sdk__count", "sdk__wait"]
        assert {tool.effects for tool in listed} == {frozenset({ToolEffect.NETWORK, ToolEffect.WRITES_LOCAL})}
        output = await provider.invoke("sdk__add", {"a": 2, "b": 3}, context())
        assert output.content == (ToolJson(value={"result": 5}),)
        assert output.is_trusted is False
        await provider.invoke("sdk__count", {"to": 2}, context(lambda *report: reports.append(report)))
        await until(lambda: len(reports) == 2)
        assert sorted(reports) == [("at 1", 0.5), ("at 2", 1.0)]


async def test_failures_of_a_server_of_the_sdk(sdk_server: McpServer) -> None:
    async with provided(sdk_server) as provider:
        with pytest.raises(ToolFailedError, match="no luck"):
            await provider.invoke("sdk__fail", {"why": "no luck"}, context())
        with pytest.raises(InvalidToolArgumentsError, match="a: 'two' is not of type 'integer'"):
            await provider.invoke("sdk__add", {"a": "two", "b": 3}, context())


async def test_a_cancelled_use_ends_at_a_server_of_the_sdk(sdk_server: McpServer, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    async with provided(sdk_server) as provider:
        use = asyncio.create_task(provider.invoke("sdk__wait", {"path": str(trace)}, context()))
        await until(trace.exists)
        use.cancel()
        await asyncio.wait([use])
        await until(lambda: trace.read_text() == "begun\nended\n")


async def test_annotations_count_where_the_operator_believes_them(sdk_url: str) -> None:
    server = McpServer(name="sdk", connection=HttpConnection(url=sdk_url), trusts_annotations=True)
    async with provided(server) as provider:
        tools = {tool.name: tool for tool in await provider.list_tools()}
    add, count, fail = tools["sdk__add"], tools["sdk__count"], tools["sdk__fail"]
    assert add.effects == {ToolEffect.READS_LOCAL}
    assert (add.is_idempotent, add.is_concurrent) == (True, True)
    assert (count.is_idempotent, count.is_concurrent) == (True, False)
    assert fail.effects == {ToolEffect.NETWORK, ToolEffect.WRITES_LOCAL}


async def test_a_server_that_goes_away_and_comes_back_elsewhere() -> None:
    async with provided(at("http://127.0.0.1:9/mcp"), raw_server()) as provider:
        web, raw = provider.statuses()
        assert (web.state, raw.state) == (McpServerState.WAITING, McpServerState.READY)
        assert "connection" in (web.problem or "").lower()


async def test_headers_go_to_the_server_alone(httpserver: HTTPServer) -> None:
    seen: list[str | None] = []

    def elsewhere(request: Request) -> Response:
        seen.append(request.headers.get("Authorization"))
        return Response(status=307, headers={"Location": f"http://localhost:{httpserver.port}/stolen"})

    httpserver.expect_request("/mcp").respond_with_handler(elsewhere)
    httpserver.expect_request("/stolen").respond_with_data("")
    async with provided(at(f"http://127.0.0.1:{httpserver.port}/mcp", Authorization="Bearer t")) as provider:
        assert provider.statuses()[0].state is McpServerState.WAITING
    assert seen[0] == "Bearer t"
    assert {request.path for request, _ in httpserver.log} == {"/mcp"}


@pytest.mark.parametrize(
    "answer",
    [
        Response(b"x" * (MAX_ANSWER_BYTES + 1), content_type="application/json"),
        Response(gzip.compress(b"{}"), content_type="application/json", headers={"Content-Encoding": "gzip"}),
        Response(b"data: " + b"x" * (MAX_ANSWER_BYTES + 1), content_type="text/event-stream"),
        Response(b"<html>", content_type="text/html"),
        Response(b"[1", content_type="application/json"),
        Response(status=500),
        Response(status=202),
        Response(b"", content_type="text/event-stream"),
    ],
    ids=["endless", "compressed", "endless event", "page", "broken", "error", "nothing", "no event"],
)
async def test_what_no_server_should_answer(httpserver: HTTPServer, answer: Response) -> None:
    httpserver.expect_request("/mcp").respond_with_response(answer)
    async with provided(at(httpserver.url_for("/mcp")), raw_server()) as provider:
        web, raw = provider.statuses()
        assert (web.state, raw.state) == (McpServerState.WAITING, McpServerState.READY)
        assert web.problem


async def test_a_flood_of_messages_leaves_time_for_others(httpserver: HTTPServer) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    event = f"event: message\ndata: {json.dumps(note)}\n\n"
    flood = Response((event * 100 for _ in iter(int, 1)), content_type="text/event-stream")
    httpserver.expect_request("/mcp").respond_with_response(flood)
    provider = McpToolProvider([at(httpserver.url_for("/mcp")), raw_server()], version="0")
    await provider.start()
    try:
        await until(lambda: bool(httpserver.log) and provider.statuses()[1].state is McpServerState.READY)
        for number in range(20):
            assert (await provider.invoke("raw__echo", {"text": str(number)}, context())).content
    finally:
        await provider.stop()
