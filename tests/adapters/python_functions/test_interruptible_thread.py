"""A function that is not `async` gets in nobody's way, and ends when nobody waits for it."""

import asyncio
import contextvars
import logging
import threading
from typing import Any

import pytest

from cortex_adapters.python_functions import interruptible_thread, tool
from cortex_adapters.python_functions.interruptible_thread import run_in_thread
from cortex_domain.tool_execution import ToolContext, ToolText


def silent(call_id: str = "c1") -> ToolContext:
    return ToolContext(call_id=call_id, deadline_s=1e9, report_progress=lambda *_: None)


async def test_the_event_loop_goes_on_and_the_function_sees_its_context_variables() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    name.set("outer")
    release = threading.Event()

    @tool
    def wait() -> str:
        release.wait()
        return f"{name.get()} {threading.current_thread().name}"

    running = asyncio.create_task(wait.invoke({}, silent()))
    await asyncio.sleep(0.01)
    release.set()
    assert (await running).content == (ToolText(text="outer cortex-tool"),)


async def test_a_cancelled_function_has_ended_when_the_cancellation_passes_on() -> None:
    begun = threading.Event()
    steps: list[int] = []

    def count() -> None:
        begun.set()
        while True:
            steps.append(1)

    task = asyncio.create_task(run_in_thread(count, name="count"))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    counted = len(steps)
    await asyncio.sleep(0.02)
    assert len(steps) == counted


async def test_a_function_that_does_not_end_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(interruptible_thread, "LEFT_BEHIND_AFTER_S", 0.02)
    begun, release = threading.Event(), threading.Event()

    def stubborn() -> None:
        try:
            begun.set()
            while True:
                pass
        except BaseException:  # noqa: BLE001 - as stubborn as what is stuck outside Python
            release.wait()

    task = asyncio.create_task(run_in_thread(stubborn, name="stubborn"))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert "the tool stubborn does not end" in caplog.text


async def test_a_future_cannot_hold_a_stop_iteration_but_a_tool_may_raise_one() -> None:
    def stop() -> Any:
        return next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await run_in_thread(stop, name="stop")


async def test_progress_from_a_thread_comes_in_order_and_none_after_the_end() -> None:
    told: list[tuple[str, float | None]] = []
    late: list[ToolContext] = []

    @tool
    def count(context: ToolContext) -> None:
        late.append(context)
        for number in range(3):
            context.report_progress(f"step {number}", number / 3)

    context = ToolContext(call_id="c1", deadline_s=1e9, report_progress=lambda *progress: told.append(progress))
    await count.invoke({}, context)
    late[0].report_progress("too late", 1.0)
    await asyncio.sleep(0)
    assert told == [("step 0", 0.0), ("step 1", 1 / 3), ("step 2", 2 / 3)]
