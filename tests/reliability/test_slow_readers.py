"""Readers that are slow, or stop: they cost the server little and others nothing."""

import asyncio
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
ENDLESS = Pace(pieces=2_000, delay_s=0.05, piece_bytes=2_000)  # 100 s
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
        async with _slow_readers(server):
            await asyncio.sleep(2)  # until the system's own buffers are full
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


def _p99(gaps_s: Sequence[float]) -> float:
    return statistics.quantiles(gaps_s, n=100)[98]


@asynccontextmanager
async def _slow_readers(server: WatchedProcess) -> AsyncIterator[None]:
    count = SCALE.slow_readers + SCALE.stalled_readers
    connections: list[socket.socket] = [await slow_connection(server.port, ENDLESS.chat()) for _ in range(count)]
    reading = [
        asyncio.create_task(read_slowly(connection, bytes_per_s=SLOW_BYTES_PER_S))
        for connection in connections[: SCALE.slow_readers]
    ]
    yield
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)
    for connection in connections:
        connection.close()
