import asyncio
from collections.abc import Callable

import pytest

from cortex_adapters.system import AsyncioTaskRunner
from cortex_domain.ports.task_runner import Producer

Tell = Callable[[str], None]


async def test_events_come_as_they_are_told_and_end_with_the_last_producer() -> None:
    turn = asyncio.Event()

    async def first(tell: Tell) -> None:
        tell("a1")
        await turn.wait()
        tell("a2")

    async def second(tell: Tell) -> None:
        tell("b1")
        turn.set()

    async with AsyncioTaskRunner().run([first, second]) as events:
        assert [event async for event in events] == ["a1", "b1", "a2"]


async def test_without_producers_there_is_nothing() -> None:
    nobody: list[Producer[str]] = []
    async with AsyncioTaskRunner().run(nobody) as events:
        assert [event async for event in events] == []


async def test_a_failure_comes_after_what_was_told_and_cancels_the_others() -> None:
    ended = []

    async def failing(tell: Tell) -> None:
        await asyncio.sleep(0)
        tell("before")
        raise LookupError("lost")

    async def waiting(tell: Tell) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    told = []
    with pytest.raises(LookupError, match="lost"):
        async with AsyncioTaskRunner().run([failing, waiting]) as events:
            async for event in events:
                told.append(event)  # noqa: PERF401 - a comprehension would lose what came before the failure
    assert (told, ended) == (["before"], ["waiting"])


async def test_leaving_cancels_and_waits_for_the_end() -> None:
    ended = []

    async def slow_to_end(tell: Tell) -> None:
        try:
            tell("begun")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append("slow")

    async with AsyncioTaskRunner().run([slow_to_end]) as events:
        async for event in events:
            assert event == "begun"
            break
    assert ended == ["slow"]


async def test_leaving_waits_also_when_it_is_cancelled() -> None:
    ended = []

    async def slow_to_end(tell: Tell) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            ended.append("slow")

    async def leave_at_once() -> None:
        async with AsyncioTaskRunner().run([slow_to_end]):
            await asyncio.sleep(0)

    leaving = asyncio.create_task(leave_at_once())
    await asyncio.sleep(0.01)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert ended == ["slow"]


async def test_a_block_that_lasts_too_long_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        async with AsyncioTaskRunner().timeout(0.01):
            await asyncio.Event().wait()
    async with AsyncioTaskRunner().timeout(None):
        await asyncio.sleep(0)
