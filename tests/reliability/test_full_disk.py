"""The disk for computed prompts is full: answers are what they would have been, and what was kept before stays."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.reliability.figures import note
from tests.reliability.raw_clients import EventStream
from tests.reliability.watched_process import WatchedProcess, cortex_server

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of a process from outside"),
]

MOST_BYTES_A_FILE = 512
"""Under this limit a write ends in the middle of a file, as on a disk that is full."""


async def test_a_full_disk_costs_no_answer(tiny_cache: Path, tmp_path: Path) -> None:
    kept, lost = _chats("kept"), _chats("lost")
    settings = {
        "DEFAULT_MODEL": "tests/tiny",
        "MODEL_CACHE_DIR": str(tiny_cache),
        "PREFIX_CACHE_DIR": str(tmp_path / "prefixes"),
    }
    async with cortex_server(**settings) as server:
        before = await _answers(server, kept)
        await server.until(lambda held: held > 0, "cortex_prefix_cache_bytes", tier="disk")
        held = await _settled_bytes(server)
        _fill_disk(server)
        under_pressure = [await _answers(server, lost) for _ in range(2)]
        held_then = await _settled_bytes(server)
        assert await server.metric("cortex_engine_restarts_total") == 0
        assert await server.metric("cortex_generations_failed_total") == 0
    async with cortex_server(**settings) as server:
        assert await _answers(server, kept) == before
        reused = await server.metric("cortex_prefix_cache_hit_tokens_total")
        usual = await _answers(server, lost)
        assert await _settled_bytes(server) > held
    assert under_pressure == [usual, usual]
    assert held_then == held
    assert reused > 0
    note(
        f"Disk full: {2 * len(lost)} answers as usual, {held:.0f} bytes kept before stayed, {reused:.0f} tokens reused."
    )


def _chats(name: str) -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "user", "content": f"{name} {number} " * 25}], "max_tokens": 20, "temperature": 0}
        for number in range(4)
    ]


async def _answers(server: WatchedProcess, chats: list[dict[str, Any]]) -> list[str]:
    return [await (await EventStream.open(server.port, chat)).whole_text() for chat in chats]


async def _settled_bytes(server: WatchedProcess) -> float:
    """Waits until nothing more is written, and returns what is there."""
    before, now = -1.0, 0.0
    while now != before:
        before = await server.metric("cortex_prefix_cache_bytes", tier="disk")
        await asyncio.sleep(1)
        now = await server.metric("cortex_prefix_cache_bytes", tier="disk")
    return now


def _fill_disk(server: WatchedProcess) -> None:
    worker = server.worker()
    assert worker is not None
    _, hard = worker.rlimit(psutil.RLIMIT_FSIZE)
    worker.rlimit(psutil.RLIMIT_FSIZE, (MOST_BYTES_A_FILE, hard))
