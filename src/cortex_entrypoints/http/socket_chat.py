"""One chat of a WebSocket connection: its events, numbered, ending with exactly one `done` or `error`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress

from cortex_domain.errors import CortexError, GenerationNotFoundError
from cortex_domain.events import GenerationFinished
from cortex_entrypoints.http.edge_errors import NothingFollowsError
from cortex_entrypoints.http.error_responses import error_facts, log_error
from cortex_entrypoints.http.event_encoding import StreamEvent, encode_socket_event
from cortex_entrypoints.http.generation_log import LogReader
from cortex_entrypoints.http.generations import Generations
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.response_bodies import CancelledEvent, ErrorEvent

logger = logging.getLogger(__name__)


class SocketChat:
    """Reads a generation and can be told to cancel it.

    Reading has a task of its own, so that stopping it leaves the one that tells the client about it.

    Args:
        request_id: The client's name for the chat.
        generation_id: What is read.
        generations: Cancels it.
        send: Hands a message to the connection's writer; may wait for room.
        begin: Number of the first event that the client is owed.
    """

    def __init__(
        self,
        request_id: str,
        generation_id: str,
        *,
        generations: Generations,
        send: Callable[[str], Awaitable[None]],
        begin: int,
    ) -> None:
        self._request_id = request_id
        self._generation_id = generation_id
        self._generations = generations
        self._send = send
        self._sequence = begin
        self._has_begun = False
        self._has_ended = False
        self._is_cancelled = False
        self._reading: asyncio.Task[None] | None = None

    async def run(self, reading: AbstractAsyncContextManager[LogReader], *, in_flight: InFlight) -> None:
        """Sends the chat's events; returns when the last one is on its way."""
        if not self._is_cancelled:
            async with asyncio.TaskGroup() as tasks:
                self._reading = tasks.create_task(self._read(reading, in_flight))
        if not self._has_ended:
            await self._cancel_generation()
            await self._emit(self._sequence, CancelledEvent())

    async def cancel(self) -> None:
        """Cancels the generation, for all who read it; `run` then ends the chat."""
        self._is_cancelled = True
        if self._has_begun:
            await self._cancel_generation()
        elif self._reading is not None:
            self._reading.cancel()

    async def _cancel_generation(self) -> None:
        with suppress(GenerationNotFoundError):
            await self._generations.cancel(self._generation_id)

    async def _read(self, reading: AbstractAsyncContextManager[LogReader], in_flight: InFlight) -> None:
        try:
            with in_flight.admitted():
                await self._emit_events(reading)
        except CortexError as error:
            log_error(error)
            await self._emit(self._sequence, ErrorEvent(error=error_facts(error)))
        except Exception as error:
            logger.exception("A chat failed")
            await self._emit(self._sequence, ErrorEvent(error=error_facts(error)))

    async def _emit_events(self, reading: AbstractAsyncContextManager[LogReader]) -> None:
        async with reading as reader:
            if reader.is_at_end:
                raise NothingFollowsError(last_event_id=self._sequence - 1)
            self._has_begun = True
            async for batch in reader:
                for sequence, event in batch:
                    await self._emit(sequence, event)

    async def _emit(self, sequence: int, event: StreamEvent) -> None:
        await self._send(encode_socket_event(event, request_id=self._request_id, sequence=sequence))
        self._sequence = sequence + 1
        self._has_ended = isinstance(event, GenerationFinished | CancelledEvent | ErrorEvent)
