"""Blocking calls that a cancelled task must not leave behind."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def run_to_end(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a short call in a thread. A task that is cancelled meanwhile ends when the call has returned, not before.

    So whoever takes over a lock or a file afterwards never meets a thread that still works on it.
    """
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise
