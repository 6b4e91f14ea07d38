"""The contract of `cortex_domain.ports.TaskRunner`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from cortex_contracts.checks import checks
from cortex_domain.errors import ContractViolationError
from cortex_domain.ports import TaskRunner
from cortex_domain.ports.task_runner import Producer

_Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunnerHarness:
    """What the contract needs.

    Attributes:
        runner: The adapter under test; it works on asyncio's event loop.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    runner: TaskRunner
    patience_s: float = 60.0


@pytest.mark.asyncio
class TaskRunnerContract:
    """Subclass this and define a fixture `harness` that returns a `TaskRunnerHarness`."""

    @checks("task_runner.runs_from_entering_on")
    async def test_runs_from_entering_on(self, harness: TaskRunnerHarness) -> None:
        """Runs a producer that waits for the one after it, and reads when both are done."""
        turn, done = asyncio.Event(), asyncio.Event()

        async def first(tell: _Tell) -> None:
            tell("a1")
            await turn.wait()
            tell("a2")
            done.set()

        async def second(tell: _Tell) -> None:
            tell("b1")
            turn.set()

        async with harness.runner.run([first, second]) as events:
            await done.wait()
            told = {event async for event in events}
        assert told == {"a1", "a2", "b1"}

    @checks("task_runner.keeps_order")
    async def test_keeps_order(self, harness: TaskRunnerHarness) -> None:
        """Compares what one producer tells with what is read."""

        async def count(tell: _Tell) -> None:
            for number in range(5):
                tell(str(number))
                await asyncio.sleep(0)

        async with harness.runner.run([count]) as events:
            assert [event async for event in events] == ["0", "1", "2", "3", "4"]

    @checks("task_runner.nothing_to_run")
    async def test_nothing_to_run(self, harness: TaskRunnerHarness) -> None:
        """Runs no producers."""
        nobody: list[Producer[str]] = []
        async with harness.runner.run(nobody) as events:
            assert [event async for event in events] == []

    @checks("task_runner.failure_after_what_was_told")
    async def test_failure_after_what_was_told(self, harness: TaskRunnerHarness) -> None:
        """Reads what a producer told before it failed."""
        told: list[str] = []

        async def failing(tell: _Tell) -> None:
            tell("before")
            raise LookupError("lost")

        with pytest.raises(LookupError, match="lost"):
            await _read(harness, [failing], told)
        assert told == ["before"]

    @checks("task_runner.failure_cancels_others")
    async def test_failure_cancels_others(self, harness: TaskRunnerHarness) -> None:
        """Lets one of two producers fail."""
        ended: list[str] = []

        async def failing(_: _Tell) -> None:
            raise LookupError("lost")

        with pytest.raises(LookupError, match="lost"):
            await _read(harness, [failing, _slow_to_end(ended)], [])
        assert ended == ["ended"]

    @checks("task_runner.leaving_waits_for_the_end")
    async def test_leaving_waits_for_the_end(self, harness: TaskRunnerHarness) -> None:
        """Leaves a block early, and once more while the leaving itself is cancelled."""
        ended: list[str] = []
        async with harness.runner.run([_slow_to_end(ended)]) as events:
            async for _ in events:
                break
        assert ended == ["ended"]

        async def leave_at_once() -> None:
            async with harness.runner.run([_slow_to_end(ended)]) as events:
                async for _ in events:
                    break

        leaving = asyncio.create_task(leave_at_once())
        await asyncio.sleep(0.01)
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        assert ended == ["ended", "ended"]

    @checks("task_runner.gives_up_in_time")
    async def test_gives_up_in_time(self, harness: TaskRunnerHarness) -> None:
        """Waits for ever in a block that has a moment."""
        with pytest.raises(TimeoutError):
            async with harness.runner.timeout(0.01):
                await asyncio.Event().wait()

    @checks("task_runner.none_is_all_the_time")
    async def test_none_is_all_the_time(self, harness: TaskRunnerHarness) -> None:
        """Waits for a moment in a block without a limit."""
        async with harness.runner.timeout(None):
            await asyncio.sleep(0.02)

    @checks("task_runner.cancelled_stays_cancelled")
    async def test_cancelled_stays_cancelled(self, harness: TaskRunnerHarness) -> None:
        """Cancels a block that has time left."""

        async def wait() -> None:
            async with harness.runner.timeout(1000):
                await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    @checks("task_runner.stray_cancellation_is_an_error")
    async def test_stray_cancellation_is_an_error(self, harness: TaskRunnerHarness) -> None:
        """Awaits in a block what somebody else has cancelled."""
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        raised: BaseException | None = None
        try:
            async with harness.runner.timeout(1000):
                await gone
        except BaseException as error:  # noqa: BLE001 - a cancellation is no Exception, and must not end the test
            raised = error
        assert isinstance(raised, ContractViolationError)


async def _read(harness: TaskRunnerHarness, producers: Sequence[Producer[str]], told: list[str]) -> None:
    async with harness.runner.run(producers) as events:
        async for event in events:
            told.append(event)  # noqa: PERF401 - a comprehension would lose what came before a failure


def _slow_to_end(ended: list[str]) -> Producer[str]:
    async def wait(tell: _Tell) -> None:
        try:
            tell("begun")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            ended.append("ended")

    return wait
