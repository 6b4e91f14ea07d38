"""Task runners that are wrong in one way each."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.task_runner import TaskRunnerHarness
from cortex_domain.errors import ContractViolationError
from cortex_domain.ports import TaskRunner
from cortex_domain.ports.task_runner import Producer

Event = TypeVar("Event")
Tell = Callable[[Event], None]


class _Passing(TaskRunner):
    """Wrong in no way yet."""

    def __init__(self, inner: TaskRunner) -> None:
        self._inner = inner

    def run(self, producers: Sequence[Producer[Event]], /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return self._inner.run(producers)

    def timeout(self, seconds: float | None, /) -> AbstractAsyncContextManager[None]:
        return self._inner.timeout(seconds)


class _BeginsWhenRead(_Passing):
    def run(self, producers: Sequence[Producer[Event]], /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return self._lazy(producers)

    @asynccontextmanager
    async def _lazy(self, producers: Sequence[Producer[Event]]) -> AsyncIterator[AsyncIterator[Event]]:
        async with AsyncExitStack() as stack:

            async def events() -> AsyncIterator[Event]:
                async for event in await stack.enter_async_context(self._inner.run(producers)):
                    yield event

            yield events()


class _SwapsTwo(_Passing):
    def run(self, producers: Sequence[Producer[Event]], /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return super().run([_swapping(producer) for producer in producers])


class _NeedsSomethingToRun(_Passing):
    def run(self, producers: Sequence[Producer[Event]], /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        if not producers:
            raise ValueError("there is nothing to run")
        return super().run(producers)


class _RaisesAtOnce(_Passing):
    def run(self, producers: Sequence[Producer[Event]], /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return self._hasty(producers)

    @asynccontextmanager
    async def _hasty(self, producers: Sequence[Producer[Event]]) -> AsyncIterator[AsyncIterator[Event]]:
        failures: list[Exception] = []

        async def events(told: AsyncIterator[Event]) -> AsyncIterator[Event]:
            async for event in told:
                if failures:
                    raise failures[0]
                yield event

        async with self._inner.run([_noting(producer, failures) for producer in producers]) as told:
            yield events(told)


class _Detaching(_Passing):
    """Has producers work in tasks of their own, which one of the two below does not end as it should."""

    def run(self, producers: Sequence[Producer[Event]], /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        failures: list[Exception] = []
        return super().run([self._detached(_noting(producer, failures), failures) for producer in producers])

    @abstractmethod
    async def end(self, work: asyncio.Task[None], *, has_failed: bool) -> None:
        """Ends the work of a producer that was cancelled."""

    def _detached(self, producer: Producer[Event], failures: list[Exception]) -> Producer[Event]:
        async def produce(tell: Tell[Event]) -> None:
            work = asyncio.create_task(_awaited(producer(tell)))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await self.end(work, has_failed=bool(failures))
                raise

        return produce


class _LetsOthersGoOn(_Detaching):
    async def end(self, work: asyncio.Task[None], *, has_failed: bool) -> None:
        """Leaves the work to itself after a failure, for long enough to be seen."""
        if has_failed:
            asyncio.get_running_loop().call_later(0.1, work.cancel)
        else:
            work.cancel()
            await asyncio.wait([work])


class _LeavesAtOnce(_Detaching):
    async def end(self, work: asyncio.Task[None], *, has_failed: bool) -> None:
        work.cancel()
        if has_failed:
            await asyncio.wait([work])


class _HasAllTheTime(_Passing):
    def timeout(self, seconds: float | None, /) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        return super().timeout(None)


class _TakesNoneForNothing(_Passing):
    def timeout(self, seconds: float | None, /) -> AbstractAsyncContextManager[None]:
        return super().timeout(seconds or 0.0)


class _TakesCancellationsForTime(_Passing):
    @asynccontextmanager
    async def _limited(self, seconds: float | None) -> AsyncIterator[None]:
        try:
            async with self._inner.timeout(seconds):
                yield
        except asyncio.CancelledError:
            raise TimeoutError from None

    def timeout(self, seconds: float | None, /) -> AbstractAsyncContextManager[None]:
        return self._limited(seconds)


class _PassesStrayCancellationsOn(_Passing):
    @asynccontextmanager
    async def _limited(self, seconds: float | None) -> AsyncIterator[None]:
        try:
            async with self._inner.timeout(seconds):
                yield
        except ContractViolationError:
            raise asyncio.CancelledError from None

    def timeout(self, seconds: float | None, /) -> AbstractAsyncContextManager[None]:
        return self._limited(seconds)


def _swapping(producer: Producer[Event]) -> Producer[Event]:
    """Holds the second event of a producer back until after the third."""

    async def produce(tell: Tell[Event]) -> None:
        events: list[Event] = []

        def tell_swapped(event: Event) -> None:
            events.append(event)
            if len(events) != 2:
                tell(event)
            if len(events) == 3:
                tell(events[1])

        await producer(tell_swapped)
        if len(events) == 2:
            tell(events[1])

    return produce


def _noting(producer: Producer[Event], failures: list[Exception]) -> Producer[Event]:
    async def produce(tell: Tell[Event]) -> None:
        try:
            await producer(tell)
        except Exception as error:
            failures.append(error)
            raise

    return produce


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _breakage(requirement_id: str, broken: Callable[[TaskRunner], TaskRunner]) -> Breakage[TaskRunnerHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, runner=broken(harness.runner)))


BROKEN_TASK_RUNNERS = (
    _breakage("task_runner.runs_from_entering_on", _BeginsWhenRead),
    _breakage("task_runner.keeps_order", _SwapsTwo),
    _breakage("task_runner.nothing_to_run", _NeedsSomethingToRun),
    _breakage("task_runner.failure_after_what_was_told", _RaisesAtOnce),
    _breakage("task_runner.failure_cancels_others", _LetsOthersGoOn),
    _breakage("task_runner.leaving_waits_for_the_end", _LeavesAtOnce),
    _breakage("task_runner.gives_up_in_time", _HasAllTheTime),
    _breakage("task_runner.none_is_all_the_time", _TakesNoneForNothing),
    _breakage("task_runner.cancelled_stays_cancelled", _TakesCancellationsForTime),
    _breakage("task_runner.stray_cancellation_is_an_error", _PassesStrayCancellationsOn),
)
