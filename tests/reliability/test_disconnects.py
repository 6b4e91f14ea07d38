"""Many clients at once, of whom many leave without a word: nothing is left running, and nobody else notices."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from tests.reliability.figures import note
from tests.reliability.paced_server import Pace
from tests.reliability.raw_clients import LEAVINGS, EventStream
from tests.reliability.scale import SCALE
from tests.reliability.watched_process import Footprint, WatchedProcess

LEAVING_SHARE = 0.3
PACE = Pace(pieces=100 if SCALE.is_long else 50, delay_s=0.15)


async def test_nothing_is_left_of_clients_that_leave(server: WatchedProcess) -> None:
    chance = random.Random(1)
    before = await _warmed_up(server)
    streams = await asyncio.gather(*(EventStream.open(server.port, PACE.chat()) for _ in range(SCALE.streams)))
    sockets = await asyncio.gather(*(_open_socket(server) for _ in range(SCALE.sockets)))
    await asyncio.gather(*(stream.begun() for stream in streams))
    await server.until(lambda count: count == len(streams) + len(sockets), "cortex_generations_in_flight")
    leaving_streams = chance.sample(streams, round(LEAVING_SHARE * len(streams)))
    leaving_sockets = chance.sample(sockets, round(LEAVING_SHARE * len(sockets)))
    reading = asyncio.gather(
        *(stream.whole_text() for stream in streams if stream not in leaving_streams),
        *(_whole_text(connection) for connection in sockets if connection not in leaving_sockets),
    )
    await _leave(leaving_streams, leaving_sockets, chance)
    left_s = time.perf_counter()
    leavers = len(leaving_streams) + len(leaving_sockets)
    await server.until(lambda count: count == leavers, "cortex_generations_cancelled_total", cause="client_left")
    freed_s = time.perf_counter() - left_s
    texts = await reading
    assert set(texts) == {PACE.text()}
    for stream in leaving_streams:
        stream.close()
    await server.until_as(before)
    note(f"{leavers} of {len(streams)} + {len(sockets)} clients left; all freed {freed_s:.2f} s after the last.")
    assert freed_s < 1 or not SCALE.is_long


async def _warmed_up(server: WatchedProcess) -> Footprint:
    pace = Pace(pieces=2, delay_s=0)
    for _ in range(3):
        await (await EventStream.open(server.port, pace.chat())).whole_text()
    return await server.settled()


async def _open_socket(server: WatchedProcess) -> ClientConnection:
    connection = await websockets.connect(server.socket_url, proxy=None, open_timeout=60, ping_interval=None)
    await connection.send(json.dumps({"type": "chat", **PACE.chat()}))
    return connection


async def _whole_text(connection: ClientConnection) -> str:
    texts: list[str] = []
    async for message in connection:
        event: dict[str, Any] = json.loads(message)
        texts.append(event.get("text", ""))
        if event["type"] in {"done", "error"}:
            assert event["type"] == "done", event
            break
    await connection.close()
    return "".join(texts)


async def _leave(streams: Sequence[EventStream], sockets: Sequence[ClientConnection], chance: random.Random) -> None:
    leavings: list[Callable[[], None]] = [partial(chance.choice(LEAVINGS), stream) for stream in streams]
    leavings += [connection.transport.abort for connection in sockets]
    chance.shuffle(leavings)
    for leave in leavings:
        leave()
        await asyncio.sleep(1 / len(leavings))
