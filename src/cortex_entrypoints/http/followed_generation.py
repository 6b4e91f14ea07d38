"""One generation and those who follow it: it runs while anybody reads, and is suspended while nobody does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cortex_domain.errors import ContractViolationError, CortexError, GenerationNotFoundError
from cortex_domain.ports import GenerationSuspender
from cortex_domain.use_cases.chat_with_tools import ToolChatEvent
from cortex_entrypoints.http.error_responses import error_facts, log_error
from cortex_entrypoints.http.generation_log import GenerationLog, LogReader
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.response_bodies import CancelledEvent, ErrorEvent
from cortex_entrypoints.observation.watched_generations import CANCELLED_BY_CLIENT

logger = logging.getLogger(__name__)

OpenStream = Callable[[], AbstractAsyncContextManager[AsyncIterator[ToolChatEvent]]]


class FollowedGeneration:
    """Copies a generation's events to its log in a task of its own.

    Args:
        generation_id: Its id.
        log: Where its events go.
        begin: Opens its stream the first time.
        resume: Opens it again after it was suspended.
        suspender: Suspends it.
        in_flight: Ends it when the server stops.
        resumable_for_s: Seconds for which it may stay suspended; 0 never suspends it.
    """

    def __init__(
        self,
        generation_id: str,
        *,
        log: GenerationLog,
        begin: OpenStream,
        resume: OpenStream,
        suspender: GenerationSuspender,
        in_flight: InFlight,
        resumable_for_s: float,
    ) -> None:
        self.generation_id = generation_id
        self.log = log
        self._open_stream = begin
        self._resume = resume
        self._suspender = suspender
        self._in_flight = in_flight
        self._resumable_for_s = resumable_for_s
        self._is_suspended = False
        self._copying: asyncio.Task[None] | None = None
        self._entered: asyncio.Future[Exception | None]

    @property
    def can_be_read(self) -> bool:
        """Whether somebody who comes now would get all of it."""
        return self.log.is_complete or self._is_suspended

    @asynccontextmanager
    async def read(self, *, after: int | None) -> AsyncIterator[LogReader]:
        """Reads what comes after an event, and has the generation run as long as anybody does.

        Raises:
            CortexError: It cannot begin, or cannot go on, or the log does not have these events.
        """
        reader = self.log.open_reader(after=after)
        try:
            await self._run()
            yield reader
        finally:
            self.log.close_reader(reader)
            if not self.log.has_readers:
                await self._suspend()

    async def cancel(self) -> None:
        """Ends it for all readers; one that has ended is left as it is."""
        self.log.append(CancelledEvent())
        await self._stop_copying(CANCELLED_BY_CLIENT)
        self.discard()

    def discard(self) -> None:
        """Forgets what it would need to go on."""
        self._is_suspended = False
        self._suspender.discard(self.generation_id)

    async def _run(self) -> None:
        while self._copying is not None and self._copying.cancelling():
            await asyncio.wait({self._copying})
        if self.log.is_complete:
            return
        if self._copying is None:
            self._begin_copying()
        await asyncio.wait({self._entered})
        refusal = self._entered.result()
        if refusal is not None:
            raise refusal

    def _begin_copying(self) -> None:
        self._entered = asyncio.get_running_loop().create_future()
        self._copying = asyncio.create_task(self._copy(self._entered))
        # Not within the task, which does nothing at all when it is cancelled before its first step.
        self._copying.add_done_callback(self._end_copying)

    def _end_copying(self, _: asyncio.Task[None]) -> None:
        self._copying = None
        if not self._entered.done():  # cancelled; who waits finds the log as it is
            self._entered.set_result(None)

    async def _suspend(self) -> None:
        """Has the generation set aside as it stands; events that are read later belong to those who come again."""
        if self._copying is None or self.log.is_complete:
            return
        if self._resumable_for_s > 0 and self._entered.done() and self.log.is_known:
            self._set_aside()
        await self._stop_copying()

    def _set_aside(self) -> None:
        try:
            self._suspender.suspend(self.generation_id, for_s=self._resumable_for_s)
        except GenerationNotFoundError:
            return  # this generator cannot suspend
        self._is_suspended = True

    async def _stop_copying(self, reason: str | None = None) -> None:
        if self._copying is not None:
            copying = self._copying
            copying.cancel(reason)
            await asyncio.wait({copying})

    async def _copy(self, entered: asyncio.Future[Exception | None]) -> None:
        try:
            async with self._in_flight.interruptible(), self._open_stream() as events:
                self._open_stream = self._resume
                self._is_suspended = False
                entered.set_result(None)
                await self._copy_events(events)
        except Exception as error:  # noqa: BLE001 - whatever it is, readers have to learn of it
            self._fail(error, entered)

    async def _copy_events(self, events: AsyncIterator[ToolChatEvent]) -> None:
        log = self.log
        async for event in events:
            log.append(event)
            if log.is_complete:
                return
            if log.has_run_ahead:
                await log.until_readers_follow()
        raise ContractViolationError("The event stream stopped without its last event.")

    def _fail(self, error: Exception, entered: asyncio.Future[Exception | None]) -> None:
        if not entered.done():
            self._is_suspended = self._is_suspended and not isinstance(error, GenerationNotFoundError)
            entered.set_result(error)
            return
        if isinstance(error, CortexError):
            log_error(error)
        else:
            logger.error("A generation failed", exc_info=error)
        self.log.append(ErrorEvent(error=error_facts(error)))
