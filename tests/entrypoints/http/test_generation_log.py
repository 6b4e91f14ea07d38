"""A log keeps what a reader has not had, and of the rest as much as there is room for."""

import asyncio

import pytest

from cortex_domain.events import GenerationFinished, TextDelta
from cortex_domain.generation import FinishReason, GenerationTimings, TokenUsage
from cortex_entrypoints.http import generation_log
from cortex_entrypoints.http.edge_errors import EventsNoLongerKeptError, UnknownEventError
from cortex_entrypoints.http.generation_log import MAX_BATCH_EVENTS, MAX_UNREAD_EVENTS, GenerationLog, LogReader
from cortex_entrypoints.http.response_bodies import CancelledEvent

DONE = GenerationFinished(
    finish_reason=FinishReason.STOP,
    usage=TokenUsage(prompt_tokens=1, completion_tokens=1),
    timings=GenerationTimings(queue_ms=0, prefill_ms=0, time_to_first_token_ms=0, tokens_per_second=0),
)


class Memory:
    """Counts as the registry of all logs does."""

    def __init__(self, limit_bytes: int = 10**9) -> None:
        self.used_bytes = 0
        self._limit_bytes = limit_bytes

    def account(self, added_bytes: int) -> bool:
        self.used_bytes += added_bytes
        return self.used_bytes <= self._limit_bytes


def _log(events: int = 0, memory: Memory | None = None) -> GenerationLog:
    log = GenerationLog((memory or Memory()).account)
    for number in range(events):
        log.append(_delta(number))
    return log


def _delta(number: int) -> TextDelta:
    return TextDelta(text=f"{number} ")


async def _numbers(reader: LogReader) -> list[int]:
    return [number for number, _ in await anext(reader)]


async def test_a_reader_gets_all_that_is_there_at_once() -> None:
    log = _log(5)
    assert await _numbers(log.open_reader(after=None)) == [0, 1, 2, 3, 4]
    assert await _numbers(log.open_reader(after=2)) == [3, 4]


async def test_but_not_so_much_that_others_wait_for_it() -> None:
    reader = _log(MAX_BATCH_EVENTS + 3).open_reader(after=None)
    assert len(await anext(reader)) == MAX_BATCH_EVENTS
    assert await _numbers(reader) == [MAX_BATCH_EVENTS + number for number in range(3)]


async def test_readers_wait_for_what_comes() -> None:
    log = _log(1)
    readers = [log.open_reader(after=0) for _ in range(2)]
    waiting = [asyncio.create_task(_numbers(reader)) for reader in readers]
    await asyncio.sleep(0)
    log.append(_delta(1))
    assert await asyncio.gather(*waiting) == [[1], [1]]
    assert not readers[0].is_at_end
    log.append(DONE)
    assert [await _numbers(reader) for reader in readers] == [[2], [2]]
    assert readers[0].is_at_end
    with pytest.raises(StopAsyncIteration):
        await anext(readers[0])


async def test_nothing_follows_the_last_event() -> None:
    log = _log(1)
    log.append(CancelledEvent())
    log.append(DONE)
    assert log.end == 2


def test_a_reader_cannot_have_had_what_was_not_there() -> None:
    log = _log(2)
    assert log.open_reader(after=1).position == 2
    with pytest.raises(UnknownEventError) as caught:
        log.open_reader(after=2)
    assert (caught.value.last_event_id, caught.value.events) == (2, 2)


async def test_only_what_every_reader_has_had_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_log, "MAX_LOG_BYTES", 2000)
    log = _log()
    fast, slow = log.open_reader(after=None), log.open_reader(after=None)
    for number in range(40):
        log.append(_delta(number))
        await anext(fast)
    assert await _numbers(slow) == list(range(40))
    log.append(_delta(40))
    with pytest.raises(EventsNoLongerKeptError) as caught:
        log.open_reader(after=None)
    first = caught.value.first_event_id
    assert 30 < first <= 40
    assert await _numbers(log.open_reader(after=first - 1)) == list(range(first, 41))


async def test_a_log_makes_room_when_all_together_are_too_large() -> None:
    memory = Memory(limit_bytes=2000)
    log = _log(memory=memory)
    reader = log.open_reader(after=None)
    for number in range(40):
        log.append(_delta(number))
        await anext(reader)
        assert memory.used_bytes <= 2000
    log.clear()
    assert memory.used_bytes == 0


async def test_a_writer_waits_for_a_reader_who_is_far_behind_and_for_no_other() -> None:
    log = _log(MAX_UNREAD_EVENTS - 1)
    reader = log.open_reader(after=None)
    await log.until_readers_follow()
    log.append(_delta(0))
    writing = asyncio.create_task(log.until_readers_follow())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not writing.done()
    await anext(reader)
    await asyncio.wait_for(writing, 20)


async def test_a_reader_who_leaves_keeps_no_writer_waiting() -> None:
    log = _log(MAX_UNREAD_EVENTS)
    stalled, reader = log.open_reader(after=None), log.open_reader(after=MAX_UNREAD_EVENTS - 1)
    writing = asyncio.create_task(log.until_readers_follow())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not writing.done()
    log.close_reader(stalled)
    await asyncio.wait_for(writing, 20)
    assert log.has_readers
    log.close_reader(reader)
    assert not log.has_readers
