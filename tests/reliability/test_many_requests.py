"""Request after request, good and bad, whole and cut: the server holds afterwards what it held before."""

import asyncio
import itertools
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

import websockets

from tests.reliability.figures import note
from tests.reliability.raw_clients import LEAVINGS, EventStream, KeptConnection
from tests.reliability.scale import SCALE
from tests.reliability.watched_process import WatchedProcess, cortex_server

CLIENTS = 16
SAMPLES = 50
MOST_BYTES_PER_REQUEST = 100 if SCALE.is_long else 1_000
"""1 MB for 10,000 requests. A short run cannot tell so little from the allocator's own ups and downs."""

RESUMING = {} if SCALE.is_long else {"RESUME_FOR_S": "1"}
"""A long run fills the answers that are kept for readers who come again while it warms up, a short one keeps few."""

CHAT = "/api/chat/completions"
TEXT = " ".join(f"word{number}" for number in range(20))
HELLO = {"messages": [{"role": "user", "content": TEXT}]}
GOOD = json.dumps(HELLO).encode()
REFUSED = (
    (json.dumps(HELLO | {"model": "not/here"}).encode(), 404),
    (json.dumps(HELLO | {"temperature": -1}).encode(), 400),
    (b'{"messages": [', 400),
)


async def test_memory_tasks_and_descriptors_stay_flat() -> None:
    async with cortex_server(DEFAULT_MODEL="fake/echo", **RESUMING) as server:
        await _send(server, itertools.repeat(None, SCALE.warm_up_requests))
        before = await server.settled()
        samples = list[tuple[int, int]]()
        begun_s = time.perf_counter()
        await _send(server, _sampled(server, samples))
        elapsed_s = time.perf_counter() - begun_s
        slope = statistics.linear_regression(*zip(*samples, strict=True)).slope
        await server.until_as(before)
        ended = await server.metric("cortex_http_requests_total")
    note(
        f"{SCALE.requests} requests in {elapsed_s:.0f} s: memory {slope * 10_000 / 1e6:+.2f} MB per 10,000, "
        f"{before.tasks} tasks and {before.files} descriptors before and after."
    )
    assert ended > 0.9 * SCALE.requests  # chats over WebSocket are not among them
    assert slope < MOST_BYTES_PER_REQUEST


def _sampled(server: WatchedProcess, samples: list[tuple[int, int]]) -> Iterator[None]:
    for number in range(SCALE.requests):
        if number % (SCALE.requests // SAMPLES) == 0:
            samples.append((number, server.memory_bytes()))
        yield None


async def _send(server: WatchedProcess, turns: Iterator[None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for seed in range(CLIENTS):
            tasks.create_task(_Client(server, random.Random(seed)).send(turns))


class _Client:
    """Sends requests one after the other, of every kind."""

    def __init__(self, server: WatchedProcess, chance: random.Random) -> None:
        self._server = server
        self._chance = chance
        self._kept = KeptConnection(server.port)
        self._kinds: list[Callable[[], Awaitable[None]]] = [self._ask, self._stream, self._leave, self._err, self._talk]

    async def send(self, turns: Iterator[None]) -> None:
        """Sends as long as there are turns."""
        for _ in turns:
            [kind] = self._chance.choices(self._kinds, weights=(60, 15, 10, 10, 5))
            await kind()
        self._kept.close()

    async def _ask(self) -> None:
        status, body = await self._kept.post(CHAT, GOOD)
        assert (status, json.loads(body)["message"]["content"]) == (200, TEXT)

    async def _stream(self) -> None:
        assert await (await EventStream.open(self._server.port, HELLO)).whole_text() == TEXT

    async def _leave(self) -> None:
        stream = await EventStream.open(self._server.port, HELLO)
        await stream.begun()
        self._chance.choice(LEAVINGS)(stream)
        stream.close()

    async def _err(self) -> None:
        content, expected = self._chance.choice(REFUSED)
        status, _ = await self._kept.post(CHAT, content)
        assert status == expected

    async def _talk(self) -> None:
        async with websockets.connect(self._server.socket_url, proxy=None) as connection:
            await connection.send(json.dumps({"type": "chat", **HELLO}))
            texts = list[str]()
            while (event := json.loads(await connection.recv()))["type"] != "done":
                texts.append(event.get("text", ""))
        assert "".join(texts) == TEXT
