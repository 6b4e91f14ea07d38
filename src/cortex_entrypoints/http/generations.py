"""All generations that are streamed, and those that may still be asked for again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from cortex_domain.errors import GenerationNotFoundError
from cortex_domain.generation import GenerationRequest
from cortex_domain.tools import ToolChoice
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.followed_generation import FollowedGeneration, OpenStream
from cortex_entrypoints.http.generation_log import GenerationLog, LogReader
from cortex_entrypoints.http.in_flight import InFlight

MAX_KEPT_GENERATIONS: Final = 1024
"""Generations that nobody reads; beyond it the oldest go, those that have ended first."""


class Generations:
    """Lets clients read a generation from any event on, also after they were cut off.

    While nobody reads a generation it takes no place in the engine, and for a while it, or what it came to, is kept.

    Args:
        cortex: The use cases.
        in_flight: Ends generations when the server stops.
        resumable_for_s: Seconds for which a generation is kept after its last reader has left; 0 keeps none.
        max_bytes: What the events of all generations may take together, as far as they were read.
    """

    def __init__(self, *, cortex: Cortex, in_flight: InFlight, resumable_for_s: float, max_bytes: int) -> None:
        self._cortex = cortex
        self._in_flight = in_flight
        self._resumable_for_s = resumable_for_s
        self._max_bytes = max_bytes
        self._used_bytes = 0
        self._known: dict[str, FollowedGeneration] = {}
        self._kept_until_s: dict[str, float] = {}
        self._sweeping: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def begun(
        self, request: GenerationRequest, /, *, server_tools: ToolChoice | None = None
    ) -> AsyncIterator[LogReader]:
        """Begins a generation and reads it from its first event.

        Args:
            request: What is generated.
            server_tools: Whether the model uses Cortex's own tools, and which; None offers it none of them.

        Raises:
            CortexError: It is refused.
        """
        generation_id = request.generation_id
        generation = FollowedGeneration(
            generation_id,
            log=GenerationLog(self._account),
            begin=self._beginning(request, server_tools),
            resume=partial(self._cortex.resume_generation, generation_id),
            suspender=self._cortex.generation_suspender,
            in_flight=self._in_flight,
            resumable_for_s=self._resumable_for_s,
        )
        async with self._reading(generation, after=None) as reader:
            yield reader

    @asynccontextmanager
    async def followed(self, generation_id: str, /, *, after: int | None) -> AsyncIterator[LogReader]:
        """Reads a generation on; one that was suspended goes on.

        Args:
            generation_id: Its id.
            after: Number of the last event that the reader has; None begins with the first.

        Raises:
            GenerationNotFoundError: It is not, or no longer, known.
            UnknownEventError: It has no such event yet.
            EventsNoLongerKeptError: What follows that event is no longer kept.
            CortexError: It cannot go on now.
        """
        async with self._reading(self._find(generation_id), after=after) as reader:
            yield reader

    async def cancel(self, generation_id: str, /) -> None:
        """Ends a generation for all who read it; one that has ended is left as it is.

        Raises:
            GenerationNotFoundError: It is not, or no longer, known.
        """
        await self._find(generation_id).cancel()

    async def close(self) -> None:
        """Forgets all that nobody reads."""
        for generation_id in list(self._kept_until_s):
            self._forget(self._known[generation_id])
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})

    def _find(self, generation_id: str) -> FollowedGeneration:
        if generation_id not in self._known:
            raise GenerationNotFoundError(generation_id=generation_id)
        return self._known[generation_id]

    def _beginning(self, request: GenerationRequest, server_tools: ToolChoice | None) -> OpenStream:
        if server_tools is None:
            return partial(self._cortex.generate_text, request)
        return partial(self._cortex.chat_with_tools, request, tool_choice=server_tools)

    @asynccontextmanager
    async def _reading(self, generation: FollowedGeneration, *, after: int | None) -> AsyncIterator[LogReader]:
        self._kept_until_s.pop(generation.generation_id, None)
        try:
            async with generation.read(after=after) as reader:
                self._known[generation.generation_id] = generation
                yield reader
        finally:
            if not generation.log.has_readers:
                self._put_away(generation)

    def _put_away(self, generation: FollowedGeneration) -> None:
        if self._resumable_for_s == 0 or not generation.can_be_read:
            self._forget(generation)
            return
        self._known[generation.generation_id] = generation
        self._kept_until_s[generation.generation_id] = self._now_s() + self._resumable_for_s
        while len(self._kept_until_s) > MAX_KEPT_GENERATIONS:
            self._forget(self._least_wanted())
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep())

    def _forget(self, generation: FollowedGeneration) -> None:
        self._known.pop(generation.generation_id, None)
        self._kept_until_s.pop(generation.generation_id, None)
        generation.discard()
        generation.log.clear()

    def _least_wanted(self) -> FollowedGeneration:
        ended = (name for name in self._kept_until_s if self._known[name].log.is_complete)
        return self._known[next(ended, next(iter(self._kept_until_s)))]

    def _account(self, added_bytes: int) -> bool:
        self._used_bytes += added_bytes
        while self._used_bytes > self._max_bytes and self._kept_until_s:
            self._forget(self._least_wanted())
        return self._used_bytes <= self._max_bytes

    async def _sweep(self) -> None:
        """Forgets generations when their time is over, as long as there are any."""
        try:
            while self._kept_until_s:
                await self._cortex.clock.sleep(max(0.0, next(iter(self._kept_until_s.values())) - self._now_s()))
                now_s = self._now_s()
                for generation_id in [name for name, until_s in self._kept_until_s.items() if until_s <= now_s]:
                    self._forget(self._known[generation_id])
        finally:
            self._sweeping = None

    def _now_s(self) -> float:
        return self._cortex.clock.monotonic_s()
