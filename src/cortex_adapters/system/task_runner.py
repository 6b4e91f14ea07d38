"""Runs coroutines side by side on asyncio's event loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from cortex_domain.errors import ContractViolationError
from cortex_domain.ports.task_runner import Producer, TaskRunner

Event = TypeVar("Event")


class AsyncioTaskRunner(TaskRunner):
    """One task a producer, and one queue that all of them tell their events to."""

    def run(self, producers: Sequence[Producer[Event]], /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:  # noqa: D102
        return _running(producers)

    def timeout(self, seconds: float | None, /) -> AbstractAsyncContextManager[None]:  # noqa: D102
        return _limited(seconds)


@asynccontextmanager
async def _running(producers: Sequence[Producer[Event]]) -> AsyncIterator[AsyncIterator[Event]]:
    told: asyncio.Queue[tuple[Event] | asyncio.Task[None]] = asyncio.Queue()
    tasks = [asyncio.create_task(_produce(producer, told)) for producer in producers]
    for task in tasks:
        task.add_done_callback(told.put_nowait)
    try:
        yield _events(told, len(tasks))
    finally:
        await _end(tasks)


async def _produce(producer: Producer[Event], told: "asyncio.Queue[tuple[Event] | asyncio.Task[None]]") -> None:
    await producer(lambda event: told.put_nowait((event,)))


async def _events(told: "asyncio.Queue[tuple[Event] | asyncio.Task[None]]", running: int) -> AsyncIterator[Event]:
    """Yields what is told; a task in the queue has ended, and its exception is raised here."""
    while running:
        item = await told.get()
        if isinstance(item, asyncio.Task):
            running -= 1
            item.result()
        else:
            yield item[0]


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Waits for every task's end, also when the waiting itself is cancelled."""
    for task in tasks:
        task.cancel()
    was_cancelled = False
    while any(not task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            was_cancelled = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not report it as forgotten
    if was_cancelled:
        raise asyncio.CancelledError


@asynccontextmanager
async def _limited(seconds: float | None) -> AsyncIterator[None]:
    async with asyncio.timeout(seconds):
        try:
            yield
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ContractViolationError("What was awaited raised a cancellation that nobody had asked for.") from exc
