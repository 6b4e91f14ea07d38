"""Runs code that may never end on a thread of its own, and ends it at a deadline.

Python cannot kill a thread, but it can raise an exception in one. That stops any loop written in Python, and that is
what a compiled chat template is. A thread that is stuck outside Python is left behind; it is a daemon and owns nothing.
"""

import contextlib
import ctypes
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

ResultT = TypeVar("ResultT")


class _AbortedError(BaseException):
    """Raised inside the thread; a BaseException, so that the code in it does not catch it by accident."""


class AbortableThread(Generic[ResultT]):
    """One call on a thread of its own.

    Args:
        function: What to call.
        deadline_s: Seconds after which it is ended.
        on_end: Called once, on some thread: with what `function` returned or raised, or with `TimeoutError`. Not called
            after `abort`.
    """

    def __init__(
        self, function: Callable[[], ResultT], *, deadline_s: float, on_end: Callable[[ResultT | Exception], None]
    ) -> None:
        self._function = function
        self._on_end = on_end
        self._settled = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="cortex-abortable", daemon=True)
        self._timer = threading.Timer(deadline_s, self._expire)
        self._timer.daemon = True
        self._thread.start()
        self._timer.start()

    def abort(self) -> None:
        """Ends the call without a word; does nothing when it has ended."""
        if self._settled.acquire(blocking=False):
            self._timer.cancel()
            self._interrupt()

    def _run(self) -> None:
        # Around all of it: the exception may arrive when the call has just ended.
        with contextlib.suppress(_AbortedError):
            outcome = self._call()
            if self._settled.acquire(blocking=False):
                self._timer.cancel()
                self._on_end(outcome)

    def _call(self) -> ResultT | Exception:
        try:
            return self._function()
        except Exception as error:  # noqa: BLE001 - handed on, whatever it is
            return error

    def _expire(self) -> None:
        if self._settled.acquire(blocking=False):
            self._interrupt()
            self._on_end(TimeoutError())

    def _interrupt(self) -> None:
        if self._thread.ident is not None and self._thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(_AbortedError)
            )
