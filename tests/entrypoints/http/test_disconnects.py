"""A client that leaves, however and whenever, leaves nothing running."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest

from cortex_adapters.fake import FakeModelStore, ScriptedPull, ScriptedReply
from cortex_domain.events import PullEvent
from cortex_domain.language_models import ModelId
from tests.entrypoints.http.door_generator import DoorGenerator
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.stream_client import close, half_close, reset

Leave = Callable[[socket.socket], None]
STREAM = "/api/chat/completions/stream"
CHAT = "/api/chat/completions"


ANYHOW = pytest.mark.parametrize("leave", [close, reset, half_close])


async def _post(port: int, path: str) -> socket.socket:
    """Sends a chat over a socket of its own."""
    loop = asyncio.get_running_loop()
    connection = socket.socket()
    connection.setblocking(False)
    await loop.sock_connect(connection, ("127.0.0.1", port))
    body = json.dumps(HELLO).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    await loop.sock_sendall(connection, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


@asynccontextmanager
async def _slow_server(delay_s: float = 0.01) -> AsyncIterator[LiveServer]:
    endless = ScriptedReply(pieces=("word ",) * 100_000, delay_s=delay_s)
    async with live_server(adapters=FakeAdapters(script=[endless] * 100)) as server:
        yield server


@ANYHOW
@pytest.mark.parametrize("path", [CHAT, STREAM])
async def test_leaving_in_the_middle_frees_the_place(leave: Leave, path: str) -> None:
    async with _slow_server() as server:
        connection = await _post(server.port, path)
        await server.until_busy()
        if path == STREAM:
            await asyncio.get_running_loop().sock_recv(connection, 10)
        leave(connection)
        await server.until_idle()
        connection.close()


@ANYHOW
async def test_leaving_while_nothing_is_sent_frees_the_place(leave: Leave) -> None:
    async with _slow_server(delay_s=1000) as server:
        connection = await _post(server.port, STREAM)
        await server.until_busy()
        leave(connection)
        await server.until_idle()
        connection.close()


@ANYHOW
@pytest.mark.parametrize("path", [CHAT, STREAM])
async def test_leaving_while_the_block_is_being_entered(leave: Leave, path: str) -> None:
    generator = DoorGenerator()
    async with live_server(adapters=FakeAdapters(generator=generator)) as server:
        connection = await _post(server.port, path)
        await generator.entered.wait()
        leave(connection)
        await generator.until_left()
        connection.close()


@ANYHOW
async def test_leaving_between_entering_and_the_first_byte(leave: Leave) -> None:
    """The client's end and the entering of the block reach the server in the same turn of its loop, both ways round."""
    for turns in range(12):
        generator = DoorGenerator(endless=True)
        async with live_server(adapters=FakeAdapters(generator=generator)) as server:
            connection = await _post(server.port, STREAM)
            await generator.entered.wait()
            leave(connection)
            for _ in range(turns):
                await asyncio.sleep(0)
            generator.opens.set()
            await generator.until_left()
            connection.close()


@ANYHOW
@pytest.mark.parametrize("path", [CHAT, STREAM])
async def test_a_stream_that_never_suspends_ends_with_its_client(leave: Leave, path: str) -> None:
    generator = DoorGenerator(endless=True)
    generator.opens.set()
    async with live_server(adapters=FakeAdapters(generator=generator)) as server:
        connection = await _post(server.port, path)
        await generator.entered.wait()
        assert (await server.client.get("/api/health")).status_code == 200
        leave(connection)
        await generator.until_left()
        connection.close()


async def test_many_leave_and_the_others_get_their_answer() -> None:
    reply = ScriptedReply(pieces=tuple(f"{number} " for number in range(40)), delay_s=0.005)
    async with live_server(adapters=FakeAdapters(script=[reply] * 60)) as server:
        staying = [asyncio.create_task(server.client.post(CHAT, json=HELLO)) for _ in range(20)]
        leaving = [await _post(server.port, path) for path in (CHAT, STREAM) * 20]
        await server.until_busy(10)
        for number, connection in enumerate(leaving):
            (close, reset, half_close)[number % 3](connection)
        answers = await asyncio.gather(*staying)
        await server.until_idle()
        for connection in leaving:
            connection.close()
    assert {answer.json()["message"]["content"] for answer in answers} == {"".join(reply.pieces)}


@ANYHOW
async def test_leaving_a_pull_stops_it(leave: Leave) -> None:
    store = CountingStore(pulls={ModelId("fake/parrot"): ScriptedPull(steps=1_000_000)})
    async with live_server(adapters=FakeAdapters(store=store)) as server:
        connection = await _post(server.port, "/api/models/fake/parrot/pull")
        await asyncio.get_running_loop().sock_recv(connection, 10)
        assert store.pulling == 1
        leave(connection)
        async with asyncio.timeout(20):
            while store.pulling:
                await asyncio.sleep(0.005)
        connection.close()


class CountingStore(FakeModelStore):
    """Counts the pulls that are going on."""

    pulling = 0

    def pull(self, model_id: ModelId, /) -> AbstractAsyncContextManager[AsyncIterator[PullEvent]]:
        return self._counted(model_id)

    @asynccontextmanager
    async def _counted(self, model_id: ModelId) -> AsyncIterator[AsyncIterator[PullEvent]]:
        self.pulling += 1
        try:
            async with super().pull(model_id) as events:
                yield events
        finally:
            self.pulling -= 1


@ANYHOW
@pytest.mark.parametrize("path", [CHAT, STREAM])
async def test_a_connection_is_over_when_its_client_closes_it_between_requests(leave: Leave, path: str) -> None:
    """Hypercorn would keep it for as long as it might have been idle, 75 seconds here."""
    async with live_server() as server:
        before = _connections()
        connection = await _post(server.port, path)
        answer = b""
        while not (b"}" in answer if path == CHAT else answer.endswith(b"0\r\n\r\n")):
            answer += await asyncio.get_running_loop().sock_recv(connection, 10_000)
        leave(connection)
        await _until_connections(before)
        connection.close()


async def test_a_connection_that_was_never_used_is_over_when_its_client_closes_it() -> None:
    async with live_server() as server:
        before = _connections()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while _connections() == before:
            await asyncio.sleep(0.005)
        writer.close()
        await _until_connections(before)


async def test_a_client_that_stops_reading_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_entrypoints.http.asgi_connections.SEND_PATIENCE_S", 0.2)
    monkeypatch.setattr("cortex_entrypoints.http.hypercorn_bounds.LINGER_S", 0.1)
    long = ScriptedReply(pieces=("x" * 100_000,) * 1000)
    async with live_server(adapters=FakeAdapters(script=[long])) as server:
        before = _connections()
        connection = await _post(server.port, STREAM)
        await server.until_busy()
        await server.until_idle()
        await _until_connections(before)
        connection.close()


async def test_an_upload_that_goes_on_after_the_refusal_holds_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypercorn would wait for ever for somebody to take the rest, and never see that the client left."""
    monkeypatch.setattr("cortex_entrypoints.http.request_reading.UPLOAD_PATIENCE_S", 0.01)
    loop = asyncio.get_running_loop()
    async with live_server() as server:
        before = _connections()
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, ("127.0.0.1", server.port))
            head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n"
            with suppress(ConnectionError):
                await loop.sock_sendall(connection, head)
                for _ in range(500):
                    await loop.sock_sendall(connection, b"x" * 200_000)
        await _until_connections(before)


async def _until_connections(number: int) -> None:
    async with asyncio.timeout(20):
        while _connections() > number:
            await asyncio.sleep(0.01)


def _connections() -> int:
    return sum("_server_callback" in repr(task.get_coro()) for task in asyncio.all_tasks())
