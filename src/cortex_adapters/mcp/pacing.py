"""Bounds how fast a server is listened to, so that one that floods leaves time for everything else."""

import asyncio
from typing import Final

MOST_PER_S: Final = 1_000
"""Messages, or pieces of output, that are taken from one server in a second; one that is faster waits."""


class Pace:
    """Makes who comes too often wait for the next second."""

    def __init__(self) -> None:
        self._begun_s = 0.0
        self._taken = 0

    async def keep(self) -> None:
        """Counts one that came, and waits if there were too many."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._begun_s >= 1:
            self._begun_s, self._taken = now_s, 0
        self._taken += 1
        if self._taken > MOST_PER_S:
            await asyncio.sleep(self._begun_s + 1 - now_s)
