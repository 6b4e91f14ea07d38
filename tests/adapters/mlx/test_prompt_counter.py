"""Prompts are counted as they would be read, beside the engine's work."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cortex_adapters.fake import FakeClock
from cortex_adapters.mlx import engine_host, prompt_rendering
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_monitor import MlxEngineMonitor
from cortex_adapters.mlx.model_loader import MlxModelLoader
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_adapters.mlx.text_generator import MlxTextGenerator
from cortex_contracts.prompt_counter import PromptCounterContract, PromptCounterHarness
from cortex_domain.errors import DeadlineExceededError, GeneratorBusyError
from cortex_domain.event_stream import collect
from cortex_domain.events import TextDelta
from cortex_domain.generation import FinishReason, GenerationRequest, SamplingParameters
from cortex_domain.language_models import ModelFiles
from cortex_domain.messages import user_message
from tests.adapters.mlx.tiny_model import END_OF_ANSWER, TINY_CONTEXT_WINDOW, TINY_MODEL
from tests.adapters.mlx.watched_host import WatchedHost

ENDLESS = SamplingParameters(temperature=0, logit_bias={END_OF_ANSWER: -100.0})
REQUEST = GenerationRequest(model=TINY_MODEL, messages=(user_message("hello"),), sampling=ENDLESS, max_tokens=24)
TOKENS = len("u:hello\na:")


def _generator(host: EngineHost) -> MlxTextGenerator:
    return MlxTextGenerator(host=host, clock=FakeClock(), default_max_tokens=24)


class TestMlxPromptCounter(PromptCounterContract):
    @pytest.fixture
    async def harness(self, host: EngineHost, tiny_files: ModelFiles) -> PromptCounterHarness:
        await host.load(tiny_files)
        generator = _generator(host)
        return PromptCounterHarness(
            generator=generator,
            counter=generator,
            loader=MlxModelLoader(host=host),
            monitor=MlxEngineMonitor(host=host),
            files=tiny_files,
        )


async def test_the_engine_gets_nothing_to_do(watched: WatchedHost) -> None:
    assert await _generator(watched.host).count_prompt(REQUEST) == TOKENS
    assert not await watched.has_work()


async def test_a_count_disturbs_no_answer(watched: WatchedHost) -> None:
    generator = _generator(watched.host)
    request = replace(REQUEST, max_tokens=200)
    async with generator.generate_text(request) as events:
        alone = (await collect(events)).text
    async with generator.generate_text(request) as events:
        said = ""
        async for event in events:
            said += event.text if isinstance(event, TextDelta) else ""
            assert await generator.count_prompt(REQUEST) == TOKENS
    assert said == alone


async def test_many_are_counted_at_once(watched: WatchedHost) -> None:
    generator = _generator(watched.host)
    requests = [replace(REQUEST, messages=(user_message("x" * length),), owner=str(length)) for length in range(1, 33)]
    counted = await asyncio.gather(*map(generator.count_prompt, requests))
    assert counted == [TOKENS - len("hello") + length for length in range(1, 33)]


async def test_too_many_at_once_are_refused(watched: WatchedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_host, "MAX_WAITING_JOBS", 0)
    with pytest.raises(GeneratorBusyError):
        await _generator(watched.host).count_prompt(REQUEST)


async def test_a_count_is_held_to_its_deadline(watched: WatchedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(prompt_rendering, "render_prompt", lambda *_, **__: over.wait(60))
    with pytest.raises(DeadlineExceededError):
        await _generator(watched.host).count_prompt(replace(REQUEST, timeout_s=0.05))
    over.set()
    assert watched.host.waiting_jobs == 0


async def test_who_leaves_is_forgotten(watched: WatchedHost) -> None:
    counting = asyncio.create_task(_generator(watched.host).count_prompt(REQUEST))
    await asyncio.sleep(0)
    counting.cancel()
    await asyncio.wait({counting})
    assert counting.cancelled()
    assert watched.host.waiting_jobs == 0


@pytest.fixture
async def own_process_host(tiny_files: ModelFiles) -> AsyncIterator[EngineHost]:
    link = ProcessLink()
    host = EngineHost(link)
    await host.start()
    await host.load(tiny_files)
    yield host
    await host.stop()


async def test_a_count_goes_on_when_the_worker_dies(own_process_host: EngineHost) -> None:
    link = own_process_host._link
    assert isinstance(link, ProcessLink)
    assert link.pid is not None
    os.kill(link.pid, signal.SIGKILL)
    assert await _generator(own_process_host).count_prompt(REQUEST) == TOKENS


async def test_an_answer_that_may_be_cut_is_as_long_as_fits(watched: WatchedHost) -> None:
    request = replace(REQUEST, max_tokens=10_000, shortens_to_fit=True)
    async with _generator(watched.host).generate_text(request) as events:
        result = await collect(events)
    assert result.finish_reason is FinishReason.LENGTH
    assert result.usage.total_tokens == TINY_CONTEXT_WINDOW


async def test_an_answer_that_may_be_cut_keeps_a_limit_that_fits(watched: WatchedHost) -> None:
    request = replace(REQUEST, max_tokens=3, shortens_to_fit=True)
    async with _generator(watched.host).generate_text(request) as events:
        assert (await collect(events)).usage.completion_tokens == 3
