"""Responses that are generated whether anybody waits for them or not."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial

from quart import Response

from cortex_domain.errors import CortexError
from cortex_domain.events import GenerationEvent, GenerationFinished
from cortex_entrypoints.http.asgi_connections import current_request
from cortex_entrypoints.http.error_responses import log_error
from cortex_entrypoints.http.event_responses import frame_response
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.openai.responses.response_stream import ResponseStream, frame_of
from cortex_entrypoints.http.openai.responses.stream_events import ResponseStreamEvent
from cortex_entrypoints.http.stream_ending import until_last

logger = logging.getLogger(__name__)


class BackgroundResponse:
    """One of them. It is kept when it is accepted, and again when it has ended.

    Args:
        stream: Tells the generation as a response.
        owner: Who asked.
        keep: Stores the response as it is, with the events of its stream so far.
    """

    def __init__(self, stream: ResponseStream, *, owner: str, keep: Callable[[bytes], Awaitable[None]]) -> None:
        self.stream = stream
        self.owner = owner
        self._keep = keep
        self._frames: list[bytes] = []
        self._has_grown = asyncio.Event()
        self._accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running: asyncio.Task[None]

    async def begin(
        self, generation: AbstractAsyncContextManager[AsyncIterator[GenerationEvent]], in_flight: InFlight
    ) -> None:
        """Begins it, and returns when it was accepted.

        Raises:
            CortexError: It was refused.
        """
        self._running = asyncio.create_task(self._run(generation, in_flight))
        try:
            await asyncio.shield(self._accepted)
        except asyncio.CancelledError:  # nobody was told of it
            self._running.cancel()
            raise

    def when_ended(self, forget: Callable[[], object]) -> None:
        """Calls something once it has ended, however that comes."""
        self._running.add_done_callback(lambda _: forget())

    async def cancel(self) -> None:
        """Ends it with what there is."""
        self._running.cancel()
        await asyncio.wait({self._running})

    async def frames(self, *, after: int) -> AsyncIterator[bytes]:
        """Gives the frames of its stream as they come.

        Args:
            after: Number of the last event that the reader has; -1 begins with the first.
        """
        position = after + 1
        while True:
            yield b"".join(self._frames[position:])
            position = max(position, len(self._frames))
            if self._running.done():
                return
            self._has_grown.clear()
            await self._has_grown.wait()

    async def _run(
        self, generation: AbstractAsyncContextManager[AsyncIterator[GenerationEvent]], in_flight: InFlight
    ) -> None:
        try:
            async with in_flight.following(generation) as events:
                async for event in until_last(events):
                    await self._take(event)
        except asyncio.CancelledError:
            if self._accepted.done():
                await self._end(self.stream.cancel())
        except Exception as error:  # noqa: BLE001 - whatever it is, who asks for the response has to learn of it
            await self._fail(error)
        finally:
            self._has_grown.set()

    async def _take(self, event: GenerationEvent) -> None:
        frames = [frame_of(told) for told in self.stream.take(event)]
        if isinstance(event, GenerationFinished) or not self._accepted.done():
            await self._keep(b"".join([*self._frames, *frames]))
        self._tell(frames)
        if not self._accepted.done():
            self._accepted.set_result(None)

    async def _fail(self, error: Exception) -> None:
        if not self._accepted.done():
            self._accepted.set_exception(error)
            return
        _log(error)
        await self._end(self.stream.fail(error))

    async def _end(self, events: Iterable[ResponseStreamEvent]) -> None:
        frames = [frame_of(event) for event in events]
        try:
            await self._keep(b"".join([*self._frames, *frames]))
        except Exception as error:  # noqa: BLE001 - readers are told its end, whatever keeps it from being kept
            _log(error)
        self._tell(frames)

    def _tell(self, frames: list[bytes]) -> None:
        self._frames += frames
        self._has_grown.set()


class BackgroundResponses:
    """Those that have not ended.

    Args:
        in_flight: Lets them in and ends them when the server stops.
    """

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._running: dict[str, BackgroundResponse] = {}

    async def begin(
        self,
        response: BackgroundResponse,
        generation: AbstractAsyncContextManager[AsyncIterator[GenerationEvent]],
        /,
    ) -> None:
        """Begins one, returns when it was accepted, and knows it until it has ended.

        Raises:
            CortexError: It was refused.
        """
        await response.begin(generation, self._in_flight)
        response_id = response.stream.response["id"]
        self._running[response_id] = response
        response.when_ended(partial(self._running.pop, response_id))

    def find(self, response_id: str, /, *, owner: str | None) -> BackgroundResponse | None:
        """Finds one that is running; None when there is none of this id and owner."""
        found = self._running.get(response_id)
        return found if found is not None and owner in (None, found.owner) else None

    async def cancel(self, response_id: str, /, *, owner: str | None) -> None:
        """Ends one with what there is; does nothing when there is none of this id and owner."""
        if (found := self.find(response_id, owner=owner)) is not None:
            await found.cancel()

    def follow(self, response: BackgroundResponse, /, *, after: int = -1) -> Response:
        """Responds with the events of one as they come.

        Args:
            response: The response.
            after: Number of the last event that the reader has; -1 begins with the first.

        Raises:
            ShuttingDownError: The server is stopping.
        """
        current_request().resources.enter_context(self._in_flight.admitted())
        return frame_response(response.frames(after=after))


def _log(error: Exception) -> None:
    if isinstance(error, CortexError):
        log_error(error)
    else:
        logger.error("A response in the background failed", exc_info=error)
