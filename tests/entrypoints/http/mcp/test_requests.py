"""What comes to `/mcp` over HTTP, from strangers and from clients of no SDK."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from cortex_adapters.fake import FakeToolProvider, ScriptedToolUse
from cortex_entrypoints.http.mcp import mount
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.mcp.test_clients import provider, until_running

ACCEPT = {"Accept": "application/json, text/event-stream"}
PAGE = "https://page.example"


@pytest.fixture
async def mcp_server() -> AsyncIterator[LiveServer]:
    async with live_server(enable_mcp_server=True, allowed_origins=(PAGE,)) as server:
        yield server


def message(method: str, request: int | None = 1, **params: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    return said if request is None else {**said, "id": request}


INITIALIZE = message(
    "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "curl", "version": "1"}
)


async def post(server: LiveServer, body: Any, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await server.client.post("/mcp", json=body, headers={**ACCEPT, **named})


async def opened(server: LiveServer) -> dict[str, str]:
    """Opens a session, and returns the headers of its requests."""
    answer = await post(server, INITIALIZE)
    assert answer.status_code == 200
    session = {**ACCEPT, "Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
    done = await server.client.post("/mcp", json=message("notifications/initialized", None), headers=session)
    assert done.status_code == 202
    return session


def first_event(answer: httpx2.Response) -> dict[str, Any]:
    [data] = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    said: dict[str, Any] = json.loads(data)
    return said


async def test_it_is_off_unless_it_is_asked_for() -> None:
    async with live_server() as server:
        assert (await post(server, INITIALIZE)).status_code == 404


async def test_a_session_by_hand(mcp_server: LiveServer) -> None:
    session = await opened(mcp_server)
    answer = await mcp_server.client.post("/mcp", json=message("tools/list"), headers=session)
    assert [tool["name"] for tool in first_event(answer)["result"]["tools"]] == ["chat"]
    assert (await mcp_server.client.delete("/mcp", headers=session)).status_code == 200
    assert (await mcp_server.client.post("/mcp", json=message("tools/list"), headers=session)).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    ("stranger", "status", "code"),
    [
        ({"Host": "evil.example"}, 421, "host_not_allowed"),
        ({"Host": "127.0.0.1.evil.example:80"}, 421, "host_not_allowed"),
        ({"Origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ({"Origin": "null"}, 403, "origin_not_allowed"),
    ],
)
async def test_strangers_are_turned_away(
    mcp_server: LiveServer, method: str, stranger: dict[str, str], status: int, code: str
) -> None:
    answer = await mcp_server.client.request(method, "/mcp", json=INITIALIZE, headers={**ACCEPT, **stranger})
    assert answer.status_code == status
    assert code in answer.text
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Mcp-Session-Id" not in answer.headers


async def test_pages_of_an_allowed_origin_may_call(mcp_server: LiveServer) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "mcp-protocol-version"}
    preflight = await mcp_server.client.options("/mcp", headers={"Origin": PAGE, **asked})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    answer = await post(mcp_server, INITIALIZE, Origin=PAGE)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Mcp-Session-Id" in answer.headers["Access-Control-Expose-Headers"]


async def test_every_answer_has_the_headers_of_this_server(mcp_server: LiveServer) -> None:
    answer = await post(mcp_server, INITIALIZE, X_Request_Id="mine")
    assert answer.headers["X-Request-Id"] == "mine"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers.get_list("Cache-Control") == ["no-store"]


async def test_requests_are_measured(mcp_server: LiveServer) -> None:
    await post(mcp_server, INITIALIZE)
    metrics = (await mcp_server.client.get("/metrics")).text
    assert 'route="/mcp",status="200"' in metrics


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b"[]", 400),
        (json.dumps([INITIALIZE, INITIALIZE]).encode(), 400),
        (b'{"jsonrpc": "2.0"}', 400),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', 400),
        (b"1" * 5_000, 400),
        (b" " * 5_000_000, 413),
    ],
    ids=["empty", "broken", "bytes", "deep", "list", "batch", "no method", "no session", "number", "giant"],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
async def test_bodies_that_mean_nothing(mcp_server: LiveServer, version: str, content: bytes, status: int) -> None:
    headers = {**ACCEPT, "Content-Type": "application/json", "MCP-Protocol-Version": version}
    answer = await mcp_server.client.post("/mcp", content=content, headers=headers)
    assert answer.status_code == status
    assert (await post(mcp_server, INITIALIZE)).status_code == 200


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", ACCEPT, 400),
        ("DELETE", ACCEPT, 400),
        ("PUT", ACCEPT, 405),
        ("PATCH", ACCEPT, 405),
        ("POST", {"Accept": "text/html"}, 406),
        ("POST", {**ACCEPT, "Content-Type": "text/plain"}, 400),
        ("POST", {**ACCEPT, "Mcp-Session-Id": "unknown"}, 404),
        ("GET", {**ACCEPT, "Mcp-Session-Id": "unknown"}, 404),
        ("DELETE", {**ACCEPT, "Mcp-Session-Id": "unknown"}, 404),
        ("POST", {**ACCEPT, "MCP-Protocol-Version": "1999-01-01"}, 400),
    ],
)
async def test_requests_that_mean_nothing(
    mcp_server: LiveServer, method: str, headers: dict[str, str], status: int
) -> None:
    answer = await mcp_server.client.request(method, "/mcp", json=INITIALIZE, headers=headers)
    assert answer.status_code == status


async def test_no_more_sessions_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount, "MAX_SESSIONS", 3)
    async with live_server(enable_mcp_server=True) as server:
        sessions = [await opened(server) for _ in range(3)]
        refused = await post(server, INITIALIZE)
        assert refused.status_code == 503
        assert "Too many open sessions" in refused.text
        await server.client.delete("/mcp", headers=sessions[0])
        assert (await post(server, INITIALIZE)).status_code == 200


async def test_a_stream_of_news_does_not_keep_the_server_from_stopping(mcp_server: LiveServer) -> None:
    session = await opened(mcp_server)
    async with mcp_server.client.stream("GET", "/mcp", headers=session) as news:
        assert news.status_code == 200
        mcp_server.stop.set()
        async with asyncio.timeout(20):
            await asyncio.wait([mcp_server.ended])


@asynccontextmanager
async def working_server(*, grace_s: float) -> AsyncIterator[tuple[LiveServer, FakeToolProvider, asyncio.Task[Any]]]:
    """A server that uses a tool, which does not end, for a client that waits."""
    tools = provider(ScriptedToolUse(delay_s=None))
    adapters = FakeAdapters(tools=tools)
    async with live_server(adapters=adapters, enable_mcp_server=True, shutdown_grace_s=grace_s) as server:
        session = await opened(server)
        use = message("tools/call", name="read", arguments={})
        waiting = asyncio.create_task(server.client.post("/mcp", json=use, headers=session))
        await until_running(tools, 1)
        yield server, tools, waiting
        await asyncio.wait([waiting])


async def test_a_stopping_server_begins_nothing_new() -> None:
    async with working_server(grace_s=1_000) as (server, tools, waiting):
        server.stop.set()
        await server.until_draining()
        refused = await post(server, INITIALIZE)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert refused.json()["error"]["message"].startswith("The server is stopping")
        waiting.cancel()
        await asyncio.wait([server.ended])
        assert not tools.running


async def test_a_use_ends_with_the_grace_of_a_stopping_server() -> None:
    async with working_server(grace_s=0.1) as (server, tools, _):
        server.stop.set()
        await asyncio.wait([server.ended])
        assert not tools.running


async def test_a_client_that_does_not_say_what_it_wants_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_entrypoints.http.mcp.exchange.BODY_PATIENCE_S", 0.2)
    async with live_server(enable_mcp_server=True) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n")
        writer.write(b"Accept: application/json, text/event-stream\r\nContent-Length: 100\r\n\r\n{")
        async with asyncio.timeout(20):
            said = await reader.read(65536)
        writer.close()
        assert said.startswith(b"HTTP/1.1 408 ")
        assert (await post(server, INITIALIZE)).status_code == 200


async def test_a_client_that_leaves_in_the_middle_of_its_message_is_no_bug(
    mcp_server: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", mcp_server.port)
    writer.write(
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    await writer.drain()
    writer.close()
    assert (await post(mcp_server, INITIALIZE)).status_code == 200
    assert "ERROR" not in {record.levelname for record in caplog.records}
