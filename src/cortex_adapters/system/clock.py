"""The machine's own clock."""

import asyncio
import time

from cortex_domain.ports import Clock


class SystemClock(Clock):
    """Tells the machine's time and sleeps on the running event loop."""

    def now_s(self) -> float:
        """Returns the seconds since the Unix epoch."""
        return time.time()

    def monotonic_s(self) -> float:
        """Returns the seconds since a moment that stays the same while the program runs."""
        return time.monotonic()

    async def sleep(self, seconds: float, /) -> None:
        """Waits; other tasks run meanwhile."""
        await asyncio.sleep(seconds)
