"""A clock that stands still until it is told otherwise."""

import asyncio
import heapq
import itertools

from cortex_domain.ports import Clock


class FakeClock(Clock):
    """A clock whose time passes by `advance`, or, when `auto_advance` is set, as soon as somebody sleeps.

    Sleepers wake in the order of their deadlines. A sleep of 0 seconds only lets other tasks run.
    """

    def __init__(self, *, now_s: float = 1_700_000_000.0, auto_advance: bool = False) -> None:
        self._epoch_s = now_s
        self._monotonic_s = 0.0
        self._auto_advance = auto_advance
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now_s(self) -> float:
        """Returns the seconds since the Unix epoch, by this clock."""
        return self._epoch_s + self._monotonic_s

    def monotonic_s(self) -> float:
        """Returns the seconds by which this clock was advanced."""
        return self._monotonic_s

    async def sleep(self, seconds: float, /) -> None:
        """Waits until the clock was advanced by this much."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        heapq.heappush(self._sleepers, (self._monotonic_s + seconds, next(self._order), woken))
        if self._auto_advance:
            loop.call_soon(self._wake_next)
        await woken

    async def advance(self, seconds: float, /) -> None:
        """Lets time pass: wakes whoever is due, one after the other, and lets each run before the next."""
        await asyncio.sleep(0)
        until = self._monotonic_s + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            self._wake_next()
            await asyncio.sleep(0)
        self._monotonic_s = until

    def _wake_next(self) -> None:
        deadline, _, woken = heapq.heappop(self._sleepers)
        if not woken.done():
            self._monotonic_s = max(self._monotonic_s, deadline)
            woken.set_result(None)
