"""Calls code that goes down as deep as its input is nested, where running out of stack would end the process."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

STACK_BYTES: Final = 256 * 2**20
"""Address space of the thread; only what is used of it becomes memory."""

ResultT = TypeVar("ResultT")
_setting_size = threading.Lock()


def call_on_deep_stack(function: Callable[[], ResultT], /) -> ResultT:
    """Calls a function on a thread of its own that has room for some hundred thousand nested calls.

    Raises:
        Exception: Whatever the function raises.
    """
    outcome: Future[ResultT] = Future()
    thread = threading.Thread(target=_settle, args=(outcome, function), name="cortex-deep-stack", daemon=True)
    with _setting_size:  # the size is the whole process's, for threads that start from now on
        usual_bytes = threading.stack_size(STACK_BYTES)
        try:
            thread.start()
        finally:
            threading.stack_size(usual_bytes)
    return outcome.result()


def _settle(outcome: Future[ResultT], function: Callable[[], ResultT]) -> None:
    try:
        outcome.set_result(function())
    except Exception as error:  # noqa: BLE001 - handed on, whatever it is
        outcome.set_exception(error)
