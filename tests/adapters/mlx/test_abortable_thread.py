import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

from cortex_adapters.mlx.abortable_thread import AbortableThread


class Ends(queue.SimpleQueue[Any]):
    """What threads told when they ended."""

    async def next(self) -> Any:
        return await asyncio.to_thread(self.get, timeout=60)


def _spin(begun: threading.Event, ended: threading.Event) -> None:
    try:
        begun.set()
        while True:
            pass
    finally:
        ended.set()


def _start(function: Callable[[], object], ends: Ends, *, deadline_s: float = 60) -> AbortableThread[object]:
    return AbortableThread(function, deadline_s=deadline_s, on_end=ends.put)


async def test_the_result_is_told() -> None:
    ends = Ends()
    _start(lambda: 6 * 7, ends)
    assert await ends.next() == 42


async def test_an_error_is_told() -> None:
    ends = Ends()
    _start(lambda: 1 // 0, ends)
    assert isinstance(await ends.next(), ZeroDivisionError)


async def test_a_function_that_does_not_return_ends_at_the_deadline() -> None:
    ends, begun, ended = Ends(), threading.Event(), threading.Event()
    _start(lambda: _spin(begun, ended), ends, deadline_s=0.2)
    assert isinstance(await ends.next(), TimeoutError)
    assert begun.is_set()
    assert await asyncio.to_thread(ended.wait, 60)
    assert ends.empty()


async def test_a_function_that_is_aborted_ends_without_a_word() -> None:
    ends, begun, ended = Ends(), threading.Event(), threading.Event()
    thread = _start(lambda: _spin(begun, ended), ends)
    assert await asyncio.to_thread(begun.wait, 60)
    thread.abort()
    assert await asyncio.to_thread(ended.wait, 60)
    assert ends.empty()


async def test_aborting_what_has_ended_does_nothing() -> None:
    ends = Ends()
    thread = _start(lambda: 6 * 7, ends)
    assert await ends.next() == 42
    thread.abort()
    assert ends.empty()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_aborting_at_any_moment_tells_the_end_at_most_once_and_harms_no_thread() -> None:
    for _ in range(300):
        ends = Ends()
        thread = _start(lambda: None, ends)
        thread.abort()
        thread._thread.join(60)
        assert ends.qsize() <= 1
