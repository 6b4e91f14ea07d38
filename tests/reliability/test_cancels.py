"""Generations are started and cancelled, one after the other: the engine has them all back, and their memory."""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
import websockets

from tests.reliability.figures import note
from tests.reliability.raw_clients import LEAVINGS, EventStream
from tests.reliability.scale import SCALE
from tests.reliability.watched_process import WatchedProcess

pytestmark = pytest.mark.real_model

MEGABYTE = 1_000_000
CLIENTS = 10
WARM_UP = 40
CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Go on and on. " * 8}],
    "max_tokens": 380,
    "logit_bias": {"256": -100},
}


async def test_cancelled_generations_leave_nothing(tiny_server: WatchedProcess) -> None:
    await _cancel(tiny_server, iter(range(WARM_UP)))
    before = await _settled(tiny_server)
    begun_s = time.perf_counter()
    await _cancel(tiny_server, iter(range(SCALE.cancels)))
    elapsed_s = time.perf_counter() - begun_s
    after = await _settled(tiny_server)
    note(
        f"{SCALE.cancels} generations started and cancelled in {elapsed_s:.1f} s: engine memory "
        f"{(after - before) / MEGABYTE:+.2f} MB."
    )
    assert await tiny_server.metric("cortex_generations_finished_total") == 2
    assert await tiny_server.metric("cortex_generations_failed_total") == 0
    assert after - before < MEGABYTE


async def _settled(server: WatchedProcess) -> float:
    """Lets one answer come to its end, so that the engine says what it holds; returns that, in bytes."""
    await server.settled()
    assert await server.metric("cortex_engine_waiting_requests") == 0
    await (await EventStream.open(server.port, CHAT)).whole_text()
    await server.settled()
    return await server.metric("cortex_engine_memory_active_bytes")


async def _cancel(server: WatchedProcess, turns: Iterator[int]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for seed in range(CLIENTS):
            cancel = _leave_streams if seed % 2 else _cancel_on_socket
            tasks.create_task(cancel(server, turns, random.Random(seed)))


async def _leave_streams(server: WatchedProcess, turns: Iterator[int], chance: random.Random) -> None:
    for _ in turns:
        stream = await EventStream.open(server.port, CHAT)
        pieces = chance.randrange(4)
        async for event in stream.events():
            pieces -= event["type"] == "text_delta"
            if pieces <= 0:
                break
        chance.choice(LEAVINGS)(stream)
        stream.close()


async def _cancel_on_socket(server: WatchedProcess, turns: Iterator[int], chance: random.Random) -> None:
    async with websockets.connect(server.socket_url, proxy=None) as connection:
        for number in turns:
            await connection.send(json.dumps({"type": "chat", "request_id": f"chat-{number}", **CHAT}))
            for _ in itertools.repeat(None, chance.randrange(4)):
                assert json.loads(await connection.recv())["type"] != "error"
            await connection.send(json.dumps({"type": "cancel", "request_id": f"chat-{number}"}))
            while (event := json.loads(await connection.recv()))["type"] != "done":
                assert event["type"] != "error", event
            assert event["finish_reason"] == "cancelled"
