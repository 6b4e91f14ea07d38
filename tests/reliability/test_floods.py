"""Clients that send more than they are served are cut off, and neither memory nor anybody else feels them."""

import asyncio
import json
import socket
from contextlib import suppress

from tests.entrypoints.http.socket_frames import HANDSHAKE, frame
from tests.reliability.figures import note
from tests.reliability.paced_server import Pace
from tests.reliability.raw_clients import EventStream
from tests.reliability.scale import SCALE
from tests.reliability.watched_process import WatchedProcess

MEGABYTE = 1_000_000
BYSTANDER = Pace(pieces=100, delay_s=0.05)
AT_ONCE = 12
FLOODS = (
    frame(1, b"x" * 1_100_000),  # longer than a message may be
    frame(1, json.dumps({"type": "cancel", "request_id": "y" * 120}).encode()) * 500,  # each has an answer
)


async def test_floods_over_websocket_are_cut_off(server: WatchedProcess) -> None:
    await (await EventStream.open(server.port, Pace(pieces=2, delay_s=0).chat())).whole_text()
    before, memory_before = await server.settled(), server.memory_bytes()
    limit = asyncio.Semaphore(AT_ONCE)
    floods = asyncio.gather(*(_flood(server, limit, FLOODS[number % 2]) for number in range(SCALE.floods)))
    bystanding = asyncio.create_task(_bystand(server, floods))
    peak = 0
    while not floods.done():
        peak = max(peak, server.memory_bytes() - memory_before)
        await asyncio.sleep(0.02)
    sent = await floods
    await bystanding
    await server.until_as(before)
    note(f"{len(sent)} floods, {sum(sent) / MEGABYTE:.0f} MB, all cut off: memory +{peak / MEGABYTE:.1f} MB at most.")
    assert peak < 32 * MEGABYTE


async def _bystand(server: WatchedProcess, floods: asyncio.Future[list[int]]) -> None:
    """Reads answers, which must be whole, for as long as the floods last."""
    while not floods.done():
        stream = await EventStream.open(server.port, BYSTANDER.chat())
        assert await stream.whole_text() == BYSTANDER.text()


async def _flood(server: WatchedProcess, limit: asyncio.Semaphore, message: bytes) -> int:
    """Sends without reading until the connection is gone; returns how many bytes went out."""
    loop = asyncio.get_running_loop()
    async with limit:
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(connection, ("127.0.0.1", server.port))
            await loop.sock_sendall(connection, HANDSHAKE)
            sent = 0
            with suppress(ConnectionError):
                while True:
                    await loop.sock_sendall(connection, message)
                    sent += len(message)
            return sent
