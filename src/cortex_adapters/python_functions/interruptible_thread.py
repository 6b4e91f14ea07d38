"""Runs a function on a thread of its own, and ends it when nobody waits for it any more.

Python cannot kill a thread, but it can raise an exception in one, which arrives at the next step in Python. What is
stuck outside Python is left behind after a moment; the thread is a daemon, so it does not keep the program alive.
Threads of a pool would: a few that are stuck, and the pool has none left.
"""

import asyncio
import contextlib
import contextvars
import ctypes
import logging
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

logger = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")

LEFT_BEHIND_AFTER_S: Final = 2.0
"""How long a thread that was told to end is waited for."""

_LOOK_EVERY_S: Final = 0.005


class _GivenUpError(BaseException):
    """Raised inside the thread; a BaseException, so that the function does not catch it by accident."""


async def run_in_thread(function: Callable[[], ResultT], /, *, name: str) -> ResultT:
    """Calls a function on a new thread, with this task's context variables.

    Cancelled, it ends the thread and waits for that before the cancellation passes on.

    Args:
        function: What to call.
        name: What the log calls it when it is left behind.
    """
    thread = _Thread(function)
    try:
        return await thread.outcome
    except asyncio.CancelledError:
        if not await _has_ended(thread):
            logger.warning("the thread of the tool %s does not end and is left behind", name)
        raise


async def _has_ended(thread: "_Thread[Any]") -> bool:
    thread.interrupt()
    left_behind_at = asyncio.get_running_loop().time() + LEFT_BEHIND_AFTER_S
    while thread.is_alive and asyncio.get_running_loop().time() < left_behind_at:  # noqa: ASYNC110 - it is a thread
        await asyncio.sleep(_LOOK_EVERY_S)
    return not thread.is_alive


class _Thread(Generic[ResultT]):
    """One call and, as a future of the event loop, what comes of it."""

    def __init__(self, function: Callable[[], ResultT]) -> None:
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[ResultT] = self._loop.create_future()
        call = contextvars.copy_context().run
        self._thread = threading.Thread(target=self._run, args=(call, function), name="cortex-tool", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def interrupt(self) -> None:
        if self._thread.ident is not None and self._thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(_GivenUpError)
            )

    def _run(self, call: Callable[..., ResultT], function: Callable[[], ResultT]) -> None:
        # Around all of it: the exception may arrive when the call has just ended, or the loop may be closed by then.
        with contextlib.suppress(_GivenUpError, RuntimeError):
            try:
                value = call(function)
            except _GivenUpError:
                raise
            except BaseException as error:  # noqa: BLE001 - handed on, whatever it is
                self._loop.call_soon_threadsafe(self._raise, _for_a_task(error))
            else:
                self._loop.call_soon_threadsafe(self._return, value)

    def _return(self, value: ResultT) -> None:
        if not self.outcome.done():
            self.outcome.set_result(value)

    def _raise(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


def _for_a_task(error: BaseException) -> Exception:
    """Wraps what a future cannot hold, and what would end the event loop or look like a cancellation."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"The function raised {error!r}.")
    wrapped.__cause__ = error
    return wrapped
