"""Runs code that may never end on a thread of its own, and ends it at a deadline.

Python cannot kill a thread, but it can raise an exception in one. That stops any loop written in Python, and that is
what a compiled chat template is. A thread that is stuck outside Python is left behind; it is a daemon and owns nothing.
"""

import asyncio
import contextlib
import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

ResultT = TypeVar("ResultT")


class _AbortedError(BaseException):
    """Raised inside the thread; a BaseException, so that the code in it does not catch it by accident."""


async def run_abortable(function: Callable[[], ResultT], /, *, deadline_s: float) -> ResultT:
    """Runs `function` on a new thread and returns what it returns.

    Raises:
        TimeoutError: It did not return within `deadline_s` seconds.
        Exception: Whatever `function` raises.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[ResultT] = loop.create_future()
    thread = threading.Thread(target=_run, args=(function, loop, outcome), name="cortex-abortable", daemon=True)
    thread.start()
    try:
        async with asyncio.timeout(deadline_s):
            return await outcome
    except (TimeoutError, asyncio.CancelledError):
        _abort(thread)
        raise


def _run(function: Callable[[], ResultT], loop: asyncio.AbstractEventLoop, outcome: "asyncio.Future[ResultT]") -> None:
    try:
        result = function()
    except _AbortedError:
        return
    except BaseException as error:  # noqa: BLE001 - handed to the waiter, whatever it is
        _hand_over(loop, outcome, outcome.set_exception, error)
    else:
        _hand_over(loop, outcome, outcome.set_result, result)


def _hand_over(
    loop: asyncio.AbstractEventLoop,
    outcome: "asyncio.Future[ResultT]",
    settle: Callable[..., None],
    value: object,
) -> None:
    def settle_once() -> None:
        if not outcome.done():
            settle(value)

    with contextlib.suppress(RuntimeError):  # the loop closed meanwhile: nobody waits
        loop.call_soon_threadsafe(settle_once)


def _abort(thread: threading.Thread) -> None:
    if thread.ident is not None and thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_AbortedError))
