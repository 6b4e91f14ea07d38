"""The worker process is killed again and again under load: every answer goes on as if nothing had happened."""

import asyncio
import random
import time
from typing import Any

import pytest

from tests.reliability.figures import note
from tests.reliability.raw_clients import EventStream
from tests.reliability.scale import SCALE
from tests.reliability.watched_process import WatchedProcess

pytestmark = pytest.mark.real_model

END_OF_ANSWER = "256"
SAMPLINGS: tuple[dict[str, Any], ...] = (
    {"temperature": 0},
    {"temperature": 1.2, "top_p": 1, "seed": 5},
    {"temperature": 0.9, "seed": 6, "frequency_penalty": 1.0},
    {"temperature": 0},
)
"""Greedy and seeded, so that an answer can be compared with that of an undisturbed run."""


def chats() -> list[dict[str, Any]]:
    """Chats whose answers are as long as they may be."""
    return [
        {"messages": [{"role": "user", "content": f"Say {number}. " * (1 + 4 * number)}]}
        | {"max_tokens": 200, "logit_bias": {END_OF_ANSWER: -100}, **sampling}
        for number, sampling in enumerate(SAMPLINGS)
    ]


async def test_answers_go_on_when_the_worker_is_killed(tiny_server: WatchedProcess) -> None:
    chance = random.Random(2)
    await _answers(tiny_server)  # the first run loads the model
    begun_s = time.perf_counter()
    undisturbed = await _answers(tiny_server)
    usual_s = time.perf_counter() - begun_s
    for _ in range(SCALE.kills):
        answering = asyncio.create_task(_answers(tiny_server))
        await asyncio.sleep(chance.uniform(0, usual_s))
        await _kill_worker(tiny_server)
        assert await answering == undisturbed
    assert await tiny_server.metric("cortex_engine_restarts_total") == SCALE.kills
    await tiny_server.until(
        lambda is_up: is_up == 1, "cortex_engine_up"
    )  # the last kill may have come after the answers
    assert await tiny_server.metric("cortex_generations_failed_total") == 0
    note(f"{SCALE.kills} kills of the worker under {len(undisturbed)} answers: all {SCALE.kills * 4} as undisturbed.")


async def _answers(server: WatchedProcess) -> list[str]:
    streams = [await EventStream.open(server.port, chat) for chat in chats()]
    return list(await asyncio.gather(*(stream.whole_text() for stream in streams)))


async def _kill_worker(server: WatchedProcess) -> None:
    async with asyncio.timeout(60):
        while (worker := server.worker()) is None:
            await asyncio.sleep(0.01)
    restarts = await server.metric("cortex_engine_restarts_total")
    worker.kill()
    await server.until(lambda count: count > restarts, "cortex_engine_restarts_total")


async def test_the_server_answers_about_an_engine_that_hangs(tiny_server: WatchedProcess) -> None:
    undisturbed = await _answers(tiny_server)
    worker = tiny_server.worker()
    assert worker is not None
    worker.suspend()
    answering = asyncio.create_task(_answers(tiny_server))
    await tiny_server.until(lambda count: count == len(undisturbed), "cortex_engine_waiting_requests")
    assert await tiny_server.metric("cortex_generations_in_flight") == len(undisturbed)
    worker.resume()
    assert await answering == undisturbed
