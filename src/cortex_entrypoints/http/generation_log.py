"""The events of one generation, numbered from 0, for any number of readers who come, leave and come again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from pydantic_core import to_json

from cortex_domain.events import (
    GenerationEvent,
    GenerationFinished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.tool_execution import (
    ToolContent,
    ToolEvent,
    ToolFinished,
    ToolImage,
    ToolJson,
    ToolProgress,
    ToolStarted,
    ToolText,
)
from cortex_entrypoints.http.edge_errors import EventsNoLongerKeptError, UnknownEventError
from cortex_entrypoints.http.response_bodies import CancelledEvent, ErrorEvent
from cortex_entrypoints.http.tool_events import ToolResultEvent

GenerationStreamEvent = GenerationEvent | ToolStarted | ToolProgress | ToolResultEvent | CancelledEvent
"""What clients see of a generation's stream, unless it fails."""

LoggedEvent = GenerationEvent | ToolEvent | CancelledEvent | ErrorEvent

MAX_LOG_BYTES: Final = 4 * 1024 * 1024
"""What the events of one generation may take; beyond it the oldest go that every reader has had."""

MAX_UNREAD_EVENTS: Final = 1024
"""How far its writer may be ahead of a reader."""

MAX_BATCH_EVENTS: Final = 256
"""Events that a reader gets at once."""

_BURST_EVENTS: Final = 16
_EVENT_BYTES: Final = 200
_CHARACTER_BYTES: Final = 4
_TOKEN_BYTES: Final = 400
_LAST: Final = (GenerationFinished, CancelledEvent, ErrorEvent)


class GenerationLog:
    """Keeps events until they are too many.

    Attributes:
        is_known: Whether anybody was given an event, and so may know the generation's id.
        is_complete: Whether the last event is there.

    Args:
        account: Counts bytes in, or out when negative, and tells whether all logs together are within their bound.
    """

    def __init__(self, account: Callable[[int], bool]) -> None:
        self._account = account
        self._events: list[LoggedEvent] = []
        self._first = 0
        self._size_bytes = 0
        self._readers: set[LogReader] = set()
        self._has_grown = asyncio.Event()
        self._was_read = asyncio.Event()
        self.is_known = False
        self.is_complete = False

    @property
    def end(self) -> int:
        """The number that the next event gets."""
        return self._first + len(self._events)

    @property
    def has_readers(self) -> bool:
        """Whether anybody reads."""
        return bool(self._readers)

    def append(self, event: LoggedEvent) -> None:
        """Adds the next event; nothing can be added to a log that is complete."""
        if self.is_complete:
            return
        self._events.append(event)
        self.is_complete = isinstance(event, _LAST)
        self._count(_size_bytes(event))
        self._has_grown.set()

    @property
    def has_run_ahead(self) -> bool:
        """Whether it is time to see how far readers are behind: once for so many events, because it takes time."""
        return self.end % _BURST_EVENTS == 0

    async def until_readers_follow(self) -> None:
        """Lets readers take what was added; waits for one who is far behind, until it is read or has left."""
        if self.end - self._slowest_position < _BURST_EVENTS:
            return
        await asyncio.sleep(0)
        while self.end - self._slowest_position >= MAX_UNREAD_EVENTS:
            self._was_read.clear()
            await self._was_read.wait()

    def open_reader(self, *, after: int | None) -> "LogReader":
        """Begins to read.

        Args:
            after: Number of the last event that the reader has; None begins with the first.

        Raises:
            UnknownEventError: There is no such event yet.
            EventsNoLongerKeptError: What follows it is no longer there.
        """
        position = 0 if after is None else after + 1
        if position > self.end:
            raise UnknownEventError(last_event_id=position - 1, events=self.end)
        if position < self._first:
            raise EventsNoLongerKeptError(first_event_id=self._first)
        reader = LogReader(self, position)
        self._readers.add(reader)
        return reader

    def close_reader(self, reader: "LogReader") -> None:
        """Forgets a reader who has left."""
        self._readers.discard(reader)
        self._was_read.set()

    def clear(self) -> None:
        """Drops all events; nobody may read any more."""
        self._drop(len(self._events))

    async def until_grown(self) -> None:
        """Waits until an event is added."""
        self._has_grown.clear()
        await self._has_grown.wait()

    def take(self, position: int) -> Sequence[LoggedEvent]:
        """Returns what is there from a position on."""
        self._was_read.set()
        self.is_known = True
        start = position - self._first
        return self._events[start : start + MAX_BATCH_EVENTS]

    @property
    def _slowest_position(self) -> int:
        return min((reader.position for reader in self._readers), default=self._first)

    def _count(self, added_bytes: int) -> None:
        """Counts an event in, and drops the older half of what every reader has had as long as that is too much."""
        self._size_bytes += added_bytes
        is_within = self._account(added_bytes)
        while not is_within or self._size_bytes > MAX_LOG_BYTES:
            had = self._slowest_position - self._first
            if had == 0:
                return
            is_within = self._drop((had + 1) // 2)

    def _drop(self, count: int) -> bool:
        freed_bytes = sum(map(_size_bytes, self._events[:count]))
        del self._events[:count]
        self._first += count
        self._size_bytes -= freed_bytes
        return self._account(-freed_bytes)


class LogReader(AsyncIterator[Sequence[tuple[int, LoggedEvent]]]):
    """Gives what is new, all that is there at once, each event with its number.

    Attributes:
        position: Number of the next event to be given.
    """

    def __init__(self, log: GenerationLog, position: int) -> None:
        self.position = position
        self._log = log

    @property
    def is_at_end(self) -> bool:
        """Whether nothing will ever follow."""
        return self._log.is_complete and self.position == self._log.end

    async def __anext__(self) -> Sequence[tuple[int, LoggedEvent]]:
        """Returns the next events, at least one.

        Raises:
            StopAsyncIteration: The last one was given.
        """
        log = self._log
        while self.position >= log.end:
            if log.is_complete:
                raise StopAsyncIteration
            await log.until_grown()
        batch = list(enumerate(log.take(self.position), self.position))
        self.position += len(batch)
        return batch


def _size_bytes(event: LoggedEvent) -> int:
    match event:
        case TextDelta(text=text, logprobs=logprobs):
            tokens = sum(1 + len(token.top) for token in logprobs)
            return _EVENT_BYTES + _CHARACTER_BYTES * len(text) + _TOKEN_BYTES * tokens
        case ReasoningDelta(text=text):
            return _EVENT_BYTES + _CHARACTER_BYTES * len(text)
        case ToolCallDelta(arguments=text) | ToolCallFinished(arguments=text):
            return _EVENT_BYTES + _CHARACTER_BYTES * len(text)
        case ToolStarted(arguments=arguments):
            return _EVENT_BYTES + _json_bytes(arguments)
        case ToolFinished(content=content):
            return _EVENT_BYTES + sum(map(_content_bytes, content))
        case _:
            return _EVENT_BYTES


def _content_bytes(part: ToolContent) -> int:
    match part:
        case ToolText(text=text):
            return _CHARACTER_BYTES * len(text)
        case ToolJson(value=value):
            return _json_bytes(value)
        case ToolImage(data=data):
            return len(data)


def _json_bytes(value: object) -> int:
    return _CHARACTER_BYTES * len(to_json(value))
