"""A suspended generation has no row in the engine, and goes on with the text that it would have had anyway."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from cortex_adapters.fake import FakeClock
from cortex_adapters.mlx import suspended_jobs
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_monitor import MlxEngineMonitor
from cortex_adapters.mlx.model_loader import MlxModelLoader
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_adapters.mlx.text_generator import MlxTextGenerator
from cortex_contracts.generation_suspender import GenerationSuspenderContract, GenerationSuspenderHarness
from cortex_domain.errors import GenerationNotFoundError, ShuttingDownError
from cortex_domain.events import GenerationEvent, GenerationFinished, TextDelta
from cortex_domain.generation import FinishReason, GenerationRequest, SamplingParameters
from cortex_domain.language_models import ModelFiles
from cortex_domain.messages import user_message
from tests.adapters.mlx.tiny_model import END_OF_ANSWER, TINY_MODEL

TOKENS = 40
SAMPLINGS = {
    "greedy": SamplingParameters(temperature=0, logit_bias={END_OF_ANSWER: -100.0}),
    "seeded": SamplingParameters(
        temperature=1.2, top_p=1, seed=5, frequency_penalty=0.5, logit_bias={END_OF_ANSWER: -100.0}
    ),
}


@dataclass
class Generating:
    """A generator and what it stands on."""

    host: EngineHost
    clock: FakeClock
    generator: MlxTextGenerator

    def request(self, sampling: str = "greedy", text: str = "hello", max_tokens: int = TOKENS) -> GenerationRequest:
        return GenerationRequest(
            model=TINY_MODEL, messages=(user_message(text),), sampling=SAMPLINGS[sampling], max_tokens=max_tokens
        )

    async def whole(self, request: GenerationRequest) -> list[GenerationEvent]:
        async with self.generator.generate_text(request) as events:
            return [event async for event in events]

    async def cut(self, request: GenerationRequest, events_read: int = 4) -> list[GenerationEvent]:
        """Reads so many events, fewer where a reader who lost time got them joined, but for the last, and suspends."""
        seen: list[GenerationEvent] = []
        async with self.generator.generate_text(request) as events:
            while len(seen) < events_read and sum(isinstance(event, TextDelta) for event in seen) < TOKENS // 4:
                seen.append(await anext(events))
            self.generator.suspend(request.generation_id, for_s=60)
        return seen

    async def rest(self, request: GenerationRequest) -> list[GenerationEvent]:
        async with self.generator.resume(request.generation_id) as events:
            return [event async for event in events]

    async def require_gone(self, request: GenerationRequest) -> None:
        with pytest.raises(GenerationNotFoundError):
            await self.generator.resume(request.generation_id).__aenter__()


def _generating(host: EngineHost) -> Generating:
    clock = FakeClock()
    return Generating(host, clock, MlxTextGenerator(host=host, clock=clock, default_max_tokens=TOKENS))


@pytest.fixture
async def generating(host: EngineHost, tiny_files: ModelFiles) -> Generating:
    await host.load(tiny_files)
    return _generating(host)


class TestMlxGenerationSuspender(GenerationSuspenderContract):
    @pytest.fixture
    async def harness(self, generating: Generating, tiny_files: ModelFiles) -> GenerationSuspenderHarness:
        return GenerationSuspenderHarness(
            generator=generating.generator,
            suspender=generating.generator,
            loader=MlxModelLoader(host=generating.host),
            monitor=MlxEngineMonitor(host=generating.host),
            files=tiny_files,
        )


def _text(events: list[GenerationEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("sampling", SAMPLINGS)
async def test_an_answer_goes_on_wherever_it_was_cut(generating: Generating, sampling: str) -> None:
    whole = await generating.whole(generating.request(sampling))
    for events_read in range(12):
        request = generating.request(sampling)
        seen = await generating.cut(request, events_read)
        assert (generating.host.active_jobs, generating.host.waiting_jobs) == (0, 0)
        assert _text(seen + await generating.rest(request)) == _text(whole)


async def test_an_answer_that_ended_unread_needs_no_engine_any_more(generating: Generating) -> None:
    request = generating.request(max_tokens=2)
    async with generating.generator.generate_text(request) as events:
        await anext(events)
        while generating.host.active_jobs or generating.host.waiting_jobs:
            await asyncio.sleep(0.001)
        generating.generator.suspend(request.generation_id, for_s=60)
    await generating.host.unload(TINY_MODEL)
    assert isinstance((await generating.rest(request))[-1], GenerationFinished)


async def test_times_leave_out_the_pause(generating: Generating) -> None:
    request = generating.request()
    seen = await generating.cut(request)
    await asyncio.sleep(0.5)
    finished = (seen + await generating.rest(request))[-1]
    assert isinstance(finished, GenerationFinished)
    assert finished.timings.time_to_first_token_ms < 500
    assert finished.timings.tokens_per_second > TOKENS / 0.5


async def test_a_deadline_that_passes_meanwhile_ends_it_with_what_it_has(generating: Generating) -> None:
    request = replace(generating.request(max_tokens=300), timeout_s=0.5)
    seen = await generating.cut(request)
    await asyncio.sleep(0.6)
    finished = (seen + await generating.rest(request))[-1]
    assert isinstance(finished, GenerationFinished)
    assert finished.finish_reason is FinishReason.CANCELLED


async def test_the_oldest_goes_when_they_are_too_many(generating: Generating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspended_jobs, "MAX_SUSPENDED_JOBS", 2)
    requests = [generating.request() for _ in range(3)]
    for request in requests:
        await generating.cut(request)
    await generating.require_gone(requests[0])
    for request in requests[1:]:
        await generating.rest(request)


async def test_the_oldest_goes_when_they_are_too_long(generating: Generating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspended_jobs, "MAX_SUSPENDED_TOKENS", 300)
    requests = [generating.request(text="x" * 150) for _ in range(2)]
    for request in requests:
        await generating.cut(request)
    await generating.require_gone(requests[0])
    await generating.rest(requests[1])


async def test_it_is_gone_when_its_time_is_over(generating: Generating) -> None:
    requests = [generating.request() for _ in range(2)]
    await generating.cut(requests[0])
    await generating.clock.advance(59)
    await generating.cut(requests[1])
    await generating.clock.advance(1)
    await generating.require_gone(requests[0])
    await generating.rest(requests[1])


async def test_a_host_that_stopped_says_so(thread_host: EngineHost, tiny_files: ModelFiles) -> None:
    await thread_host.load(tiny_files)
    generating = _generating(thread_host)
    request = generating.request()
    await generating.cut(request)
    await thread_host.stop()
    with pytest.raises(ShuttingDownError):
        await generating.rest(request)


@pytest.fixture
async def killable(tiny_files: ModelFiles) -> AsyncIterator[tuple[Generating, ProcessLink]]:
    link = ProcessLink()
    host = EngineHost(link)
    await host.start()
    await host.load(tiny_files)
    yield _generating(host), link
    await host.stop()


@pytest.mark.parametrize("sampling", SAMPLINGS)
async def test_an_answer_goes_on_though_workers_die(killable: tuple[Generating, ProcessLink], sampling: str) -> None:
    generating, link = killable
    whole = await generating.whole(generating.request(sampling))
    request = generating.request(sampling)
    seen = await generating.cut(request)
    await _kill(generating.host, link)
    async with generating.generator.resume(request.generation_id) as events:
        seen += [await anext(events) for _ in range(3)]
        await _kill(generating.host, link)
        seen += [await anext(events) for _ in range(3)]
        generating.generator.suspend(request.generation_id, for_s=60)
    assert _text(seen + await generating.rest(request)) == _text(whole)


async def _kill(host: EngineHost, link: ProcessLink) -> None:
    restarts = host.restarts
    assert link.pid is not None
    os.kill(link.pid, signal.SIGKILL)
    while host.restarts == restarts:
        await asyncio.sleep(0.001)
