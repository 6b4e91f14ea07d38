"""A stream is passed on up to its last event, and one that just stops is a bug of its adapter."""

from collections.abc import AsyncIterator, Sequence

import pytest

from cortex_domain.errors import ContractViolationError
from cortex_domain.events import PullEvent, PullFinished, PullProgress
from cortex_domain.language_models import ModelId
from cortex_entrypoints.http.stream_ending import until_last

PROGRESS = PullProgress(completed_bytes=1, total_bytes=2)
DONE = PullFinished(model=ModelId("a/b"), revision=None, size_bytes=2)


async def _stream(events: Sequence[PullEvent]) -> AsyncIterator[PullEvent]:
    for event in events:
        yield event


async def test_nothing_follows_the_last_event() -> None:
    assert [event async for event in until_last(_stream([PROGRESS, DONE, PROGRESS]))] == [PROGRESS, DONE]


@pytest.mark.parametrize("events", [[], [PROGRESS]])
async def test_a_stream_that_just_stops(events: Sequence[PullEvent]) -> None:
    seen: list[PullEvent] = []
    with pytest.raises(ContractViolationError):
        async for event in until_last(_stream(events)):
            seen.append(event)  # noqa: PERF401 - what came before the error counts
    assert seen == events
