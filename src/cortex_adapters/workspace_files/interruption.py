"""Work in a thread that ends when the coroutine that waits for it is cancelled."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class InterruptedWorkError(Exception):
    """Nobody waits for this work any more."""


class Interruption:
    """Tells work in a thread that nobody waits for it any more."""

    def __init__(self) -> None:
        self._requested = threading.Event()

    def request(self) -> None:
        """Asks the work to end."""
        self._requested.set()

    def check(self) -> None:
        """Goes on, or ends the work.

        Raises:
            InterruptedWorkError: Nobody waits for it.
        """
        if self._requested.is_set():
            raise InterruptedWorkError


async def run_interruptible(work: Callable[[Interruption], T], /) -> T:
    """Runs work in a thread. Cancelling asks it to end, and passes on when it has."""
    interruption = Interruption()
    running = asyncio.get_running_loop().run_in_executor(None, _unless_interrupted, work, interruption)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        interruption.request()
        await _ended(running)
        raise


def _unless_interrupted(work: Callable[[Interruption], T], interruption: Interruption) -> T:
    interruption.check()
    return work(interruption)


async def _ended(running: "asyncio.Future[T]") -> None:
    """Waits also when the waiting itself is cancelled; the first cancellation is the one that passes on."""
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            continue
    running.exception()  # read, so that asyncio does not report it as forgotten
