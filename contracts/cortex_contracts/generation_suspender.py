"""The contract of `cortex_domain.ports.GenerationSuspender`. The whole class costs about twenty short answers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest

from cortex_contracts.checks import checks
from cortex_contracts.conversations import GREEDY, Reading, chat, first_delta, read
from cortex_contracts.text_generator import TextGeneratorHarness
from cortex_domain.errors import GenerationNotFoundError, ModelNotLoadedError
from cortex_domain.event_stream import GenerationRules
from cortex_domain.events import GenerationEvent, GenerationFinished
from cortex_domain.generation import GenerationRequest, SamplingParameters
from cortex_domain.language_models import Capability
from cortex_domain.ports import GenerationSuspender

LONG_S = 3600.0
UNKNOWN_ID = "gen_that_nobody_began"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSuspenderHarness(TextGeneratorHarness):
    """What the contract needs beyond what the text generator's contract needs.

    Attributes:
        suspender: The adapter under test; suspends what `generator` generates.
    """

    suspender: GenerationSuspender


@pytest.mark.asyncio
class GenerationSuspenderContract:
    """Subclass this and define a fixture `harness` that returns a `GenerationSuspenderHarness`."""

    @checks("generation_suspender.takes_no_place")
    async def test_takes_no_place(self, harness: GenerationSuspenderHarness) -> None:
        """Suspends a long answer; a short one that is given after it must find itself alone."""
        await _suspended(harness, chat(harness.files, max_tokens=200))
        async with harness.generator.generate_text(chat(harness.files, max_tokens=4)) as events:
            statuses = [harness.monitor.status() async for _ in events]
        assert statuses[-1].active_requests + statuses[-1].waiting_requests <= 1

    @checks("generation_suspender.goes_on_where_left")
    async def test_goes_on_where_left(self, harness: GenerationSuspenderHarness) -> None:
        """Cuts an answer after so many events each time, and compares the pieces with an answer that is whole."""
        sampling = GREEDY
        if Capability.SEED in harness.generator.capabilities:
            sampling = SamplingParameters(temperature=1, top_p=1, seed=7)
        request = chat(harness.files, sampling=sampling)
        whole = await read(harness.generator, request)
        for events_at_a_time in (0, 1, 2, 3):
            cut = Reading(events=await _read_in_pieces(harness, request, events_at_a_time))
            rules = GenerationRules()
            for event in cut.events:
                rules.accept(event)
            rules.close()
            assert cut.text == whole.text
            assert cut.finished.usage.completion_tokens == whole.finished.usage.completion_tokens

    @checks("generation_suspender.names_model")
    async def test_names_model(self, harness: GenerationSuspenderHarness) -> None:
        """Asks for a suspended answer, and for one that nobody began."""
        request = chat(harness.files)
        await _suspended(harness, request)
        assert harness.suspender.model_of(request.generation_id) == harness.files.model_id
        with pytest.raises(GenerationNotFoundError):
            harness.suspender.model_of(UNKNOWN_ID)

    @checks("generation_suspender.left_is_gone")
    async def test_left_is_gone(self, harness: GenerationSuspenderHarness) -> None:
        """Leaves an answer in its midst."""
        request = chat(harness.files)
        async with harness.generator.generate_text(request) as events:
            await first_delta(events)
        await _require_not_suspended(harness, request.generation_id)

    @checks("generation_suspender.open_is_not_suspended")
    async def test_open_is_not_suspended(self, harness: GenerationSuspenderHarness) -> None:
        """Resumes an answer that is being read, and one that was resumed."""
        request = chat(harness.files)
        async with harness.generator.generate_text(request) as events:
            await anext(events)
            await _require_not_suspended(harness, request.generation_id)
            harness.suspender.suspend(request.generation_id, for_s=LONG_S)
        async with harness.suspender.resume(request.generation_id):
            await _require_not_suspended(harness, request.generation_id)

    @checks("generation_suspender.suspends_what_is_open")
    async def test_suspends_what_is_open(self, harness: GenerationSuspenderHarness) -> None:
        """Suspends what nobody began, and what has been read to its end."""
        request = chat(harness.files, max_tokens=1)
        await read(harness.generator, request)
        for generation_id in (UNKNOWN_ID, request.generation_id):
            with pytest.raises(GenerationNotFoundError) as caught:
                harness.suspender.suspend(generation_id, for_s=LONG_S)
            assert caught.value.generation_id == generation_id

    @checks("generation_suspender.kept_no_longer_than_asked")
    async def test_kept_no_longer_than_asked(self, harness: GenerationSuspenderHarness) -> None:
        """Suspends an answer for no time at all."""
        request = chat(harness.files)
        await _suspended(harness, request, for_s=0)
        await _require_not_suspended(harness, request.generation_id)

    @checks("generation_suspender.discard_forgets")
    async def test_discard_forgets(self, harness: GenerationSuspenderHarness) -> None:
        """Discards what is suspended, twice, and what nobody began."""
        request = chat(harness.files)
        await _suspended(harness, request)
        for generation_id in (request.generation_id, request.generation_id, UNKNOWN_ID):
            harness.suspender.discard(generation_id)
        await _require_not_suspended(harness, request.generation_id)

    @checks("generation_suspender.refusal_keeps_it")
    async def test_refusal_keeps_it(self, harness: GenerationSuspenderHarness) -> None:
        """Resumes an answer while its model is unloaded, and again when it is back."""
        request = chat(harness.files)
        await _suspended(harness, request)
        await harness.loader.unload(harness.files.model_id)
        try:
            with pytest.raises(ModelNotLoadedError):
                await harness.suspender.resume(request.generation_id).__aenter__()
        finally:
            await harness.loader.load(harness.files)
        async with harness.suspender.resume(request.generation_id) as events:
            assert [event async for event in events if isinstance(event, GenerationFinished)]


async def _suspended(harness: GenerationSuspenderHarness, request: GenerationRequest, *, for_s: float = LONG_S) -> None:
    """Suspends an answer that has begun."""
    async with harness.generator.generate_text(request) as events:
        await first_delta(events)
        harness.suspender.suspend(request.generation_id, for_s=for_s)


async def _read_in_pieces(
    harness: GenerationSuspenderHarness, request: GenerationRequest, events_at_a_time: int
) -> list[GenerationEvent]:
    """Reads an answer, suspending it whenever so many events were read; 0 suspends it once, before the first."""
    seen: list[GenerationEvent] = []
    stream = harness.generator.generate_text(replace(request))
    while True:
        async with stream as events:
            seen += await _up_to(events, events_at_a_time)
            if seen and isinstance(seen[-1], GenerationFinished):
                return seen
            harness.suspender.suspend(request.generation_id, for_s=LONG_S)
        stream = harness.suspender.resume(request.generation_id)
        events_at_a_time = events_at_a_time or 1000


async def _up_to(events: AsyncIterator[GenerationEvent], count: int) -> list[GenerationEvent]:
    read_now: list[GenerationEvent] = []
    while len(read_now) < count:
        event = await anext(events, None)
        if event is None:
            break
        read_now.append(event)
    return read_now


async def _require_not_suspended(harness: GenerationSuspenderHarness, generation_id: str) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(GenerationNotFoundError) as caught:
            await stack.enter_async_context(harness.suspender.resume(generation_id))
        assert caught.value.generation_id == generation_id
