"""Counts turns of the event loop: a measure of how far apart events are that needs no seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TurnCounter:
    """Counts the turns that the event loop made.

    Attributes:
        turns: Turns so far. On an idle loop they pass as fast as the machine can, so they measure waiting too.
    """

    def __init__(self) -> None:
        self.turns = 0

    async def count(self) -> None:
        """Counts until it is cancelled."""
        while True:
            self.turns += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def counted_turns() -> AsyncIterator[TurnCounter]:
    """Counts the turns of the event loop within a block."""
    counter = TurnCounter()
    counting = asyncio.create_task(counter.count())
    try:
        yield counter
    finally:
        counting.cancel()
        await asyncio.wait([counting])
