import asyncio
import threading

import pytest

from cortex_adapters.mlx.abortable_thread import run_abortable


def _spin(ended: threading.Event) -> None:
    try:
        while True:
            pass
    finally:
        ended.set()


async def test_the_result_is_returned() -> None:
    assert await run_abortable(lambda: 6 * 7, deadline_s=60) == 42


async def test_an_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_abortable(lambda: 1 // 0, deadline_s=60)


async def test_a_function_that_does_not_return_ends_at_the_deadline() -> None:
    ended = threading.Event()
    with pytest.raises(TimeoutError):
        await run_abortable(lambda: _spin(ended), deadline_s=0.01)
    assert await asyncio.to_thread(ended.wait, 60)


async def test_a_caller_that_leaves_takes_the_function_with_it() -> None:
    ended = threading.Event()
    task = asyncio.ensure_future(run_abortable(lambda: _spin(ended), deadline_s=60))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 60)
