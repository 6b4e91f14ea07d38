"""A WebSocket client that sends too much is cut off, and the server's memory does not feel it.

The server runs in a process of its own, so that its memory can be told from that of the clients.
"""

import asyncio
import json
import os
import socket
import struct
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
import websockets

from tests.entrypoints.http.live_server import HELLO, LiveServer, live_server
from tests.entrypoints.http.socket_frames import HANDSHAKE, frame

ROOT = Path(__file__).parents[3]
MEGABYTE = 1_000_000
CHUNK = b"x" * 65_536
SERVER = """
import asyncio
from tests.entrypoints.http.live_server import FakeAdapters, live_server
async def main():
    async with live_server() as server:
        print(server.port, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


class ServerProcess:
    """A server in a process of its own."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.port = port
        self.url = f"ws://127.0.0.1:{port}/api/chat/ws"
        self._process = process
        self._before = self.memory_bytes()

    def memory_bytes(self) -> int:
        rss: int = self._process.memory_info().rss
        return rss

    def growth_bytes(self) -> int:
        return self.memory_bytes() - self._before


@pytest.fixture
async def process() -> AsyncIterator[ServerProcess]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src")))}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert child.stdout is not None
    port = int(await child.stdout.readline())
    async with websockets.connect(f"ws://127.0.0.1:{port}/api/chat/ws", proxy=None) as connection:
        await connection.send(json.dumps({"type": "chat", **HELLO}))
        await connection.recv()
    yield ServerProcess(port, psutil.Process(child.pid))
    child.kill()
    await child.communicate()


@asynccontextmanager
async def raw_connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection whose client keeps to no rule."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HANDSHAKE)
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_a_message_that_is_too_long(server: LiveServer) -> None:
    async with websockets.connect(server.socket_url, proxy=None) as connection:
        await connection.send("x" * 900_000)
        assert json.loads(await connection.recv())["error"]["code"] == "malformed_json"
        with pytest.raises(websockets.ConnectionClosed) as caught:
            for _ in range(10):
                await connection.send("x" * 1_100_000)
            await connection.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


async def test_compression_is_not_offered(server: LiveServer) -> None:
    async with websockets.connect(server.socket_url, proxy=None, compression="deflate") as connection:
        assert connection.response is not None
        assert "Sec-WebSocket-Extensions" not in connection.response.headers


async def test_a_message_without_end_is_not_kept(process: ServerProcess) -> None:
    peak = 0
    async with raw_connection(process.port) as (_, writer):
        writer.write(frame(2, CHUNK, is_last=False))
        for _ in range(2_000):
            if writer.is_closing():
                break
            writer.write(frame(0, CHUNK, is_last=False))
            try:
                await writer.drain()
            except ConnectionError:
                break
            peak = max(peak, process.growth_bytes())
    assert peak < 24 * MEGABYTE


async def test_a_compressed_message_is_not_unpacked(process: ServerProcess) -> None:
    deflate = zlib.compressobj(wbits=-15)
    bomb = deflate.compress(bytes(300 * MEGABYTE)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    async with raw_connection(process.port) as (reader, writer):
        writer.write(frame(1, bomb, is_compressed=True))
        while await reader.read(65_536):
            pass
    assert process.growth_bytes() < 24 * MEGABYTE


async def test_many_messages_to_a_server_that_is_busy_answering(process: ServerProcess) -> None:
    """The client never reads, so the server's answers pile up, and after a while it takes no more."""
    peak = 0
    bad_message = frame(1, b"x" * 100_000)
    async with raw_connection(process.port) as (_, writer):
        for _ in range(1_000):
            writer.write(bad_message)
            try:
                async with asyncio.timeout(1):
                    await writer.drain()
            except (TimeoutError, ConnectionError):
                break
            peak = max(peak, process.growth_bytes())
    assert peak < 32 * MEGABYTE


async def test_a_client_that_does_not_read_learns_why_it_was_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_entrypoints.http.asgi_connections.SocketConnection.inbound_patience_s", 0.2)
    loop = asyncio.get_running_loop()
    message = frame(1, json.dumps({"type": "cancel", "request_id": "y" * 100}).encode())
    async with live_server() as server:
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(connection, ("127.0.0.1", server.port))
            await loop.sock_sendall(connection, HANDSHAKE)
            assert b" 101 " in await loop.sock_recv(connection, 1_000)
            with suppress(TimeoutError):
                while True:
                    await asyncio.wait_for(loop.sock_sendall(connection, message * 10), 1)
            received = b""
            while data := await loop.sock_recv(connection, 1_000_000):
                received = (received + data)[-200:]
    assert struct.pack("!H", 1008) in received


async def test_a_flood_that_goes_on_after_the_cut_holds_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypercorn would wait for ever for somebody to take the rest, and never see that the client left."""
    monkeypatch.setattr("cortex_entrypoints.http.asgi_connections.SocketConnection.inbound_patience_s", 0.05)
    monkeypatch.setattr("cortex_entrypoints.http.asgi_connections.FAREWELL_S", 0.05)
    monkeypatch.setattr("cortex_entrypoints.http.hypercorn_bounds.LINGER_S", 0.05)
    async with live_server() as server:
        before = server_connections()
        async with raw_connection(server.port) as (_, writer), asyncio.timeout(30):
            while server_connections() > before and not writer.is_closing():
                writer.write(frame(1, b"x" * 200) * 100)
                with suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(1):
                        await writer.drain()
        assert server_connections() == before


async def test_a_client_that_speaks_before_it_was_let_in(server: LiveServer) -> None:
    before = open_sockets()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HANDSHAKE + frame(1, json.dumps({"type": "chat", **HELLO}).encode().ljust(200)))
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    async with asyncio.timeout(20):
        while open_sockets() > before:
            await asyncio.sleep(0.005)
    writer.close()


def open_sockets() -> int:
    return sum("ChatSocket" in repr(task.get_coro()) for task in asyncio.all_tasks())


def server_connections() -> int:
    return sum("_server_callback" in repr(task.get_coro()) for task in asyncio.all_tasks())
