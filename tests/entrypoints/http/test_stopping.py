"""A server that is told to stop takes nothing new, lets what runs finish or tells it that it cannot, and is gone."""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import websockets

from cortex_adapters.fake import ScriptedReply
from cortex_entrypoints import Settings
from cortex_entrypoints.http.listener import ListenError, open_listener, url_of
from cortex_entrypoints.http.server import serve
from tests.entrypoints.http.door_generator import DoorGenerator
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.sse import parse_frames

ROOT = Path(__file__).parents[3]
CHAT = "/api/chat/completions"
STREAM = "/api/chat/completions/stream"
SHORT = ScriptedReply(pieces=("word ",) * 40, delay_s=0.01)
ENDLESS = ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.01)


@asynccontextmanager
async def server_saying(reply: ScriptedReply, *, grace_s: float) -> AsyncIterator[LiveServer]:
    async with live_server(adapters=FakeAdapters(script=[reply] * 20), shutdown_grace_s=grace_s) as server:
        yield server


@asynccontextmanager
async def draining_server() -> AsyncIterator[tuple[LiveServer, DoorGenerator, asyncio.Task[httpx2.Response]]]:
    """A server that is stopping and waits for one answer, which waits at the door."""
    door = DoorGenerator()
    async with live_server(adapters=FakeAdapters(generator=door), shutdown_grace_s=1000) as server:
        running = asyncio.create_task(server.client.post(CHAT, json=HELLO))
        await door.entered.wait()
        server.stop.set()
        await server.until_draining()
        yield server, door, running


@pytest.mark.parametrize("path", [CHAT, STREAM])
async def test_what_runs_finishes(path: str) -> None:
    async with server_saying(SHORT, grace_s=20) as server:
        answer = asyncio.create_task(server.client.post(path, json=HELLO))
        await server.until_busy()
        server.stop.set()
        response = await answer
        await server.ended
    assert response.status_code == 200
    if path == STREAM:
        assert parse_frames(response.text)[-1].event == "done"
    else:
        assert response.json()["message"]["content"] == "word " * 40


async def test_a_stream_that_takes_too_long_ends_with_an_error() -> None:
    async with server_saying(ENDLESS, grace_s=0.2) as server:
        answers = [asyncio.create_task(server.client.post(STREAM, json=HELLO)) for _ in range(5)]
        await server.until_busy(5)
        server.stop.set()
        responses = await asyncio.gather(*answers)
        await server.ended
    for response in responses:
        frames = parse_frames(response.text)
        assert (frames[-1].event, frames[-1].data["error"]["code"]) == ("error", "shutting_down")
        assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert server.adapters.monitor.status().active_requests == 0


async def test_a_stream_that_says_nothing_ends_with_an_error() -> None:
    silent = ScriptedReply(pieces=("late",), first_delay_s=1000)
    async with server_saying(silent, grace_s=0.1) as server:
        answer = asyncio.create_task(server.client.post(STREAM, json=HELLO))
        await server.until_busy()
        server.stop.set()
        assert parse_frames((await answer).text)[-1].event == "error"


async def test_a_whole_answer_that_takes_too_long_is_a_503() -> None:
    async with server_saying(ENDLESS, grace_s=0.2) as server:
        answer = asyncio.create_task(server.client.post(CHAT, json=HELLO))
        await server.until_busy()
        server.stop.set()
        response = await answer
    assert (response.status_code, response.json()["error"]["code"]) == (503, "shutting_down")
    assert response.headers["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CHAT),
        ("POST", STREAM),
        ("POST", "/api/models/fake/echo/load"),
        ("POST", "/api/models/fake/echo/unload"),
        ("POST", "/api/models/fake/parrot/pull"),
        ("DELETE", "/api/models/fake/parrot"),
    ],
)
async def test_nothing_new_is_taken(method: str, path: str) -> None:
    async with draining_server() as (server, door, running):
        async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as newcomer:
            response = await newcomer.request(method, path, json=HELLO if path in {CHAT, STREAM} else None)
        door.opens.set()
        assert (await running).status_code == 200
    assert (response.status_code, response.json()["error"]["code"]) == (503, "shutting_down")
    assert response.headers["Retry-After"] == "5"


async def test_health_says_so() -> None:
    async with draining_server() as (server, door, running):
        response = await server.client.get("/api/health")
        door.opens.set()
        await running
    assert (response.status_code, response.json()["status"]) == (503, "draining")
    assert response.json()["reason"] == "The server is stopping."


async def test_a_newcomer_by_websocket_is_refused_at_the_door() -> None:
    async with draining_server() as (server, door, running):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(server.socket_url, proxy=None):
                pass
        door.opens.set()
        await running
    assert refused.value.response.status_code == 503
    assert json.loads(refused.value.response.body)["error"]["code"] == "shutting_down"


async def test_a_connection_with_chats_finishes_them_and_takes_no_more() -> None:
    door = DoorGenerator()
    async with live_server(adapters=FakeAdapters(generator=door), shutdown_grace_s=1000) as server:
        async with websockets.connect(server.socket_url, proxy=None) as connection:
            await connection.send(json.dumps({"type": "chat", "request_id": "old", **HELLO}))
            await door.entered.wait()
            server.stop.set()
            await server.until_draining()
            await connection.send(json.dumps({"type": "chat", "request_id": "new", **HELLO}))
            refused = json.loads(await connection.recv())
            door.opens.set()
            events = [json.loads(message) for message in await _until_closed(connection)]
        await server.ended
    assert (refused["request_id"], refused["error"]["code"]) == ("new", "shutting_down")
    assert [event["type"] for event in events] == ["started", "text_delta", "done", "error"]
    assert events[-1]["error"]["code"] == "shutting_down"
    assert "request_id" not in events[-1]


async def test_a_chat_that_takes_too_long_ends_with_an_error() -> None:
    async with server_saying(ENDLESS, grace_s=0.2) as server:
        async with websockets.connect(server.socket_url, proxy=None) as connection:
            await connection.send(json.dumps({"type": "chat", "request_id": "old", **HELLO}))
            await server.until_busy()
            server.stop.set()
            events = [json.loads(message) for message in await _until_closed(connection)]
        await server.ended
    assert [event.get("request_id") for event in events[-2:]] == ["old", None]
    assert [event["error"]["code"] for event in events[-2:]] == ["shutting_down"] * 2


async def test_an_idle_connection_is_closed() -> None:
    async with server_saying(SHORT, grace_s=1000) as server:
        async with websockets.connect(server.socket_url, proxy=None) as connection:
            await connection.send('{"type": "ping"}')
            await connection.recv()
            server.stop.set()
            events = [json.loads(message) for message in await _until_closed(connection)]
        await server.ended
    assert [event["error"]["code"] for event in events] == ["shutting_down"]


async def test_idle_clients_hold_nothing_up() -> None:
    async with server_saying(SHORT, grace_s=1000) as server:
        await server.client.get("/api/health")
        silent = socket.create_connection(("127.0.0.1", server.port))
        server.stop.set()
        await server.ended
        silent.close()


async def test_a_client_that_does_not_read_holds_nothing_up() -> None:
    huge = ScriptedReply(pieces=("x" * 100_000,) * 1_000)
    async with server_saying(huge, grace_s=0.1) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        body = json.dumps(HELLO).encode()
        head = f"POST {STREAM} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await server.until_busy()
        server.stop.set()
        async with asyncio.timeout(30):
            await server.ended
        assert server.adapters.monitor.status().active_requests == 0
        writer.transport.abort()
        assert not reader.at_eof()


PROGRAM = """
import asyncio, sys
from cortex_adapters.fake import ScriptedReply
from cortex_entrypoints import Settings
from cortex_entrypoints.http import serve
from tests.entrypoints.http.door_generator import DoorGenerator
from tests.entrypoints.http.live_server import FakeAdapters
reply = ScriptedReply(pieces=("word ",) * int(sys.argv[1]), delay_s=0.01)
settings = Settings(port=0, shutdown_grace_s=float(sys.argv[2]))
asyncio.run(serve(FakeAdapters(script=[reply]).wire(), settings, on_listening=lambda url: print(url, flush=True)))
"""


@asynccontextmanager
async def program(words: int, grace_s: float) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx2.AsyncClient]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src")))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(words), str(grace_s), stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        yield process, client
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("words", "grace_s", "last"), [(40, 30, "done"), (100_000, 0.3, "error")])
async def test_a_signal_stops_the_process(number: signal.Signals, words: int, grace_s: float, last: str) -> None:
    async with program(words, grace_s) as (process, client), client.stream("POST", STREAM, json=HELLO) as response:
        lines = response.aiter_lines()
        events = [await anext(lines)]
        process.send_signal(number)
        events += [line async for line in lines]
        assert await process.wait() == 0
    assert [line for line in events if line.startswith("event: ")][-1] == f"event: {last}"


async def test_a_second_signal_ends_the_process_at_once() -> None:
    async with program(100_000, 1000) as (process, client), client.stream("POST", STREAM, json=HELLO) as response:
        lines = response.aiter_lines()
        await anext(lines)
        process.send_signal(signal.SIGTERM)
        while (await client.get("/api/health")).status_code == 200:
            pass
        process.send_signal(signal.SIGINT)
        with pytest.raises(httpx2.RemoteProtocolError):
            async for _ in lines:
                pass
        assert await process.wait() == 128 + signal.SIGINT


async def test_an_address_that_is_taken() -> None:
    with open_listener("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"Cannot listen on 127.0.0.1 port {port}: .* Set HOST or PORT"):
            await serve(FakeAdapters().wire(), Settings(port=port))


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(ListenError):
        open_listener("no-such-host.invalid", 0)


@pytest.mark.parametrize(("host", "start"), [("127.0.0.1", "http://127.0.0.1:"), ("localhost", "http://")])
def test_the_url_of_a_listener(host: str, start: str) -> None:
    with open_listener(host, 0) as listener:
        assert url_of(listener).startswith(start)
        assert url_of(listener).endswith(f":{listener.getsockname()[1]}")


@pytest.mark.parametrize("is_local", [True, False])
async def test_an_address_that_others_reach_is_warned_of(
    is_local: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cortex_entrypoints.http.server.is_loopback", lambda _: is_local)
    with caplog.at_level(logging.WARNING):
        await serve(
            FakeAdapters().wire(),
            Settings(port=0),
            on_listening=lambda _: os.kill(os.getpid(), signal.SIGTERM),
        )
    assert ("no authentication yet" in caplog.text) == (not is_local)


async def _until_closed(connection: websockets.ClientConnection) -> list[str | bytes]:
    """Reads all that comes before the server closes because it goes away."""
    messages: list[str | bytes] = []
    with pytest.raises(websockets.ConnectionClosed) as closed:
        while True:
            messages.append(await connection.recv())
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    return messages
