"""The work that clients wait for: counted while it runs, refused once the server stops, ended after its grace."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from typing import TypeVar

from cortex_domain.errors import ShuttingDownError

EventT = TypeVar("EventT")

RETRY_AFTER_S = 5.0
"""What a refused client is told: about the time that a supervisor needs to start the server again."""

FAREWELL_S = 2.0
"""How long work that was ended may take to tell its client so."""


class InFlight:
    """Lets work in, and lets the server stop without cutting it off in silence.

    Attributes:
        draining: Set once nothing new is let in.
    """

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self._ended = False
        self._running: dict[object, asyncio.Task[object] | None] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._deadlines: set[asyncio.Timeout] = set()

    @property
    def has_ended(self) -> bool:
        """Whether the grace of a stopping server is over, so that what still runs is ended."""
        return self._ended

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts a piece of work for as long as the block runs.

        Raises:
            ShuttingDownError: The server is stopping.
        """
        if self.draining.is_set():
            raise _shutting_down()
        token = object()
        self._running[token] = asyncio.current_task()
        self._idle.clear()
        try:
            yield
        finally:
            del self._running[token]
            if not self._running:
                self._idle.set()

    @asynccontextmanager
    async def interruptible(self) -> AsyncIterator[None]:
        """Ends the block when the grace of a stopping server is over; enter and leave it in one task.

        Raises:
            ShuttingDownError: The block was ended.
        """
        deadline = asyncio.timeout(0 if self._ended else None)
        try:
            async with deadline:
                self._deadlines.add(deadline)
                try:
                    yield
                finally:
                    self._deadlines.discard(deadline)
        except TimeoutError:
            if deadline.expired():
                raise _shutting_down() from None
            raise

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Admits the block and makes it interruptible: for work that answers once.

        Raises:
            ShuttingDownError: The server is stopping, or the block was ended.
        """
        with self.admitted():
            async with self.interruptible():
                yield

    @asynccontextmanager
    async def following(
        self, stream: AbstractAsyncContextManager[AsyncIterator[EventT]], /
    ) -> AsyncIterator[AsyncIterator[EventT]]:
        """Admits a stream, enters it and gives its events; entering it and each event are interruptible.

        Other tasks run before each event. That matters: a stream that never suspends would keep the server from seeing
        that its client has left.

        Raises:
            ShuttingDownError: The server is stopping, or the stream was ended.
        """
        with self.admitted():
            async with AsyncExitStack() as stack:
                async with self.interruptible():
                    events = await stack.enter_async_context(stream)
                async with aclosing(self._follow(events)) as followed:
                    yield followed

    async def drain(self, grace_s: float, /) -> None:
        """Lets nothing new in and waits for what runs; ends what still runs after `grace_s` seconds.

        What was ended gets a moment to tell its client; who does not read then is cut off.
        """
        self.draining.set()
        if await self._is_idle_within(grace_s):
            return
        self._end_all()
        if await self._is_idle_within(FAREWELL_S):
            return
        for task in self._running.values():
            if task is not None:
                task.cancel()

    async def _is_idle_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _follow(self, events: AsyncIterator[EventT]) -> AsyncGenerator[EventT, None]:
        while True:
            async with self.interruptible():
                await asyncio.sleep(0)
                try:
                    event = await anext(events)
                except StopAsyncIteration:
                    return
            yield event

    def _end_all(self) -> None:
        self._ended = True
        now = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            deadline.reschedule(now)


def _shutting_down() -> ShuttingDownError:
    return ShuttingDownError("The server is stopping. Ask again when it is back.", retry_after_s=RETRY_AFTER_S)
