"""One chat of a WebSocket connection: its events, numbered, ending with exactly one `done` or `error`."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from cortex_domain.errors import CortexError
from cortex_domain.events import GenerationFinished
from cortex_domain.generation import GenerationRequest
from cortex_entrypoints.cortex import TextGeneration
from cortex_entrypoints.http.error_responses import error_facts, log_error
from cortex_entrypoints.http.event_encoding import StreamEvent, encode_socket_event
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.response_bodies import CancelledEvent, ErrorEvent
from cortex_entrypoints.http.stream_ending import until_last
from cortex_entrypoints.observation.watched_generations import CANCELLED_BY_CLIENT

logger = logging.getLogger(__name__)


class SocketChat:
    """Runs a chat and can be told to stop.

    The generation has a task of its own, so that stopping it leaves the one that tells the client about it.

    Args:
        request_id: The client's name for the chat.
        send: Hands a message to the connection's writer; may wait for room.
    """

    def __init__(self, request_id: str, *, send: Callable[[str], Awaitable[None]]) -> None:
        self._request_id = request_id
        self._send = send
        self._sequence = itertools.count()
        self._has_ended = False
        self._is_cancelled = False
        self._generation: asyncio.Task[None] | None = None

    async def run(self, request: GenerationRequest, *, generate_text: TextGeneration, in_flight: InFlight) -> None:
        """Sends the chat's events; returns when the last one is on its way."""
        if not self._is_cancelled:
            async with asyncio.TaskGroup() as tasks:
                self._generation = tasks.create_task(self._generate(request, generate_text, in_flight))
        if not self._has_ended:
            await self._emit(CancelledEvent())

    def cancel(self) -> None:
        """Leaves the generation; `run` then ends the chat."""
        self._is_cancelled = True
        if self._generation is not None:
            self._generation.cancel(CANCELLED_BY_CLIENT)

    async def _generate(self, request: GenerationRequest, generate_text: TextGeneration, in_flight: InFlight) -> None:
        try:
            await self._emit_events(request, generate_text, in_flight)
        except CortexError as error:
            log_error(error)
            await self._emit(ErrorEvent(error=error_facts(error)))
        except Exception as error:
            logger.exception("A chat failed")
            await self._emit(ErrorEvent(error=error_facts(error)))

    async def _emit_events(
        self, request: GenerationRequest, generate_text: TextGeneration, in_flight: InFlight
    ) -> None:
        async with in_flight.following(generate_text(request)) as events, aclosing(until_last(events)) as remaining:
            async for event in remaining:
                await self._emit(event)

    async def _emit(self, event: StreamEvent) -> None:
        await self._send(encode_socket_event(event, request_id=self._request_id, sequence=next(self._sequence)))
        self._has_ended = isinstance(event, GenerationFinished | CancelledEvent | ErrorEvent)
