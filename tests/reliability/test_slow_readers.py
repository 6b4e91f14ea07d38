"""Readers that are slow, or stop: they cost the server little and others nothing."""

import asyncio
import math
import socket
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.reliability.figures import note
from tests.reliability.paced_server import Pace
from tests.reliability.raw_clients import EventStream, read_slowly, slow_connection
from tests.reliability.scale import SCALE
from tests.reliability.watched_process import WatchedProcess

MEGABYTE = 1_000_000
USUAL = Pace(pieces=200, delay_s=0.02)
LONG_ANSWER = Pace(pieces=6_000, delay_s=0.004, piece_bytes=100)
USUAL_READERS = 8
SLOW_BYTES_PER_S = 1_000
WORST_RATIO = 1.5


async def test_slow_readers_cost_others_nothing(server: WatchedProcess) -> None:
    await _gaps_s(server)
    memory_before = server.memory_bytes()
    alone, beside = list[float](), list[float]()
    growth = 0
    for _ in range(SCALE.gap_rounds):
        alone.append(_p99(await _gaps_s(server)))
        async with _slow_readers(server) as count:
            await _until_all_wait(server, count)
            beside.append(_p99(await _gaps_s(server)))
            growth = max(growth, server.memory_bytes() - memory_before)
        await server.settled()
    ratio = statistics.median(beside) / statistics.median(alone)
    note(
        f"{SCALE.slow_readers} readers at 1 KB/s and {SCALE.stalled_readers} that stall: p99 gap of others {ratio:.2f} "
        f"times ({1000 * statistics.median(alone):.1f} ms alone), memory +{growth / MEGABYTE:.1f} MB."
    )
    assert growth < 64 * MEGABYTE
    assert ratio < WORST_RATIO or not SCALE.is_long


async def _gaps_s(server: WatchedProcess) -> list[float]:
    """Gaps of readers who read as fast as they can; their answers must be whole."""
    streams = [await EventStream.open(server.port, USUAL.chat()) for _ in range(USUAL_READERS)]
    texts = await asyncio.gather(*(stream.whole_text() for stream in streams))
    assert set(texts) == {USUAL.text()}
    return [gap_s for stream in streams for gap_s in stream.gaps_s]


async def _until_all_wait(server: WatchedProcess, readers: int) -> None:
    """Waits until all buffers are full on the way to readers who do not keep up: each gets a few pieces a second."""
    before, now = 0.0, math.inf
    while now - before > 10 * readers:
        before = await server.metric("cortex_inter_token_seconds_count")
        await asyncio.sleep(1)
        now = await server.metric("cortex_inter_token_seconds_count")
    assert await server.metric("cortex_generations_in_flight") == readers


def _p99(gaps_s: Sequence[float]) -> float:
    return statistics.quantiles(gaps_s, n=100)[98]


@asynccontextmanager
async def _slow_readers(server: WatchedProcess) -> AsyncIterator[int]:
    count = SCALE.slow_readers + SCALE.stalled_readers
    connections: list[socket.socket] = [await slow_connection(server.port, LONG_ANSWER.chat()) for _ in range(count)]
    reading = [
        asyncio.create_task(read_slowly(connection, bytes_per_s=SLOW_BYTES_PER_S))
        for connection in connections[: SCALE.slow_readers]
    ]
    yield count
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)
    for connection in connections:
        connection.close()
