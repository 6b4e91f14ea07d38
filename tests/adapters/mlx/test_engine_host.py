"""The engine and its host on a model that takes no time: what one request breaks, no other feels."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlx_lm.generate import BatchGenerator

from cortex_adapters.mlx import active_job, engine_host
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.job_stream import JobStream
from cortex_adapters.mlx.jobs import Job, JobId
from cortex_adapters.mlx.model_loader import MlxModelLoader
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.system.clock import SystemClock
from cortex_domain.errors import (
    CortexError,
    GeneratorBusyError,
    GeneratorFailedError,
    InvalidModelError,
    ModelNotLoadedError,
    ShuttingDownError,
)
from cortex_domain.event_stream import collect
from cortex_domain.events import GenerationStarted, PrefillProgress, TextDelta
from cortex_domain.generation import GenerationResult, SamplingParameters
from cortex_domain.language_models import ModelFiles, ModelId
from tests.adapters.mlx.tiny_model import TINY_MODEL

GREEDY = SamplingParameters(temperature=0)
STARTED = GenerationStarted(generation_id="gen_1", model=TINY_MODEL, created_s=0, prompt_tokens=5)


def _submit(
    host: EngineHost,
    *,
    prompt: tuple[int, ...] = (1, 2, 3, 4, 5),
    max_tokens: int = 24,
    sampling: SamplingParameters = GREEDY,
    model_id: ModelId = TINY_MODEL,
) -> tuple[JobId, JobStream]:
    def make_job(job_id: JobId) -> Job:
        return Job(
            id=job_id,
            model_id=model_id,
            prompt=prompt,
            sampling=sampling,
            max_tokens=max_tokens,
            stop=(),
            accepted_s=0.0,
        )

    return host.submit(make_job, started=STARTED)


async def _run(host: EngineHost, **job: Any) -> GenerationResult:
    _, stream = _submit(host, **job)
    return await collect(stream)


async def test_jobs_that_run_together_say_what_they_say_alone(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    prompts = [tuple(range(1, length)) for length in (3, 40, 7, 200, 12, 90)]
    alone = [await _run(host, prompt=prompt) for prompt in prompts]
    together = await asyncio.gather(*(_run(host, prompt=prompt) for prompt in prompts))
    assert [result.text for result in together] == [result.text for result in alone]


async def test_a_seed_draws_the_same_alone_and_among_others(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    seeded = SamplingParameters(temperature=1.5, top_p=1, seed=11)
    alone = await _run(host, sampling=seeded)
    others = [SamplingParameters(temperature=1.5, top_p=1, seed=seed) for seed in (12, 13)]
    together = await asyncio.gather(*(_run(host, sampling=sampling) for sampling in [*others, seeded]))
    assert together[-1].text == alone.text
    assert together[0].text != alone.text


async def test_progress_ends_with_the_whole_prompt(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    _, stream = _submit(host, prompt=tuple(range(1, 200)), max_tokens=1)
    progress = [event async for event in stream if isinstance(event, PrefillProgress)]
    assert progress[-1] == PrefillProgress(processed_tokens=199, total_tokens=199)


async def test_a_job_whose_answer_cannot_be_read_ends_alone(
    host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await host.load(tiny_files)
    expected = await _run(host)
    take_token = active_job.ActiveJob.take_token

    def fail_for_short_prompts(self: active_job.ActiveJob, *args: Any) -> Iterator[Any]:
        if len(self.job.prompt) == 2:
            raise ZeroDivisionError
        yield from take_token(self, *args)

    monkeypatch.setattr(active_job.ActiveJob, "take_token", fail_for_short_prompts)
    broken, healthy = await asyncio.gather(_run(host, prompt=(1, 2)), _run(host), return_exceptions=True)
    assert isinstance(broken, GeneratorFailedError)
    assert isinstance(healthy, GenerationResult)
    assert healthy.text == expected.text


async def test_a_job_that_cannot_begin_ends_alone(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    broken, healthy = await asyncio.gather(_run(host, prompt=()), _run(host), return_exceptions=True)
    assert isinstance(broken, GeneratorFailedError)
    assert isinstance(healthy, GenerationResult)


async def test_a_step_that_fails_ends_its_jobs_and_the_next_ones_run(
    host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await host.load(tiny_files)
    expected = await _run(host)
    with monkeypatch.context() as broken:
        broken.setattr(BatchGenerator, "next", _raise_runtime_error)
        results = await asyncio.gather(_run(host), _run(host), return_exceptions=True)
    assert all(isinstance(result, GeneratorFailedError) for result in results)
    assert (await _run(host)).text == expected.text


async def test_cancelling_frees_the_row_before_the_next_step(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    job_id, stream = _submit(host, max_tokens=400)
    async for event in stream:
        if isinstance(event, TextDelta):
            break
    host.cancel(job_id)
    assert (host.active_jobs, host.waiting_jobs) == (0, 0)
    assert not await host._call(lambda engine: engine.has_work)


async def test_cancelling_works_while_the_prompt_is_read_and_while_queued(
    host: EngineHost, tiny_files: ModelFiles
) -> None:
    await host.load(tiny_files)
    jobs = [_submit(host, prompt=tuple(range(1, 250)), max_tokens=200) for _ in range(60)]
    assert host.waiting_jobs == 60
    for job_id, _ in jobs:
        host.cancel(job_id)
    assert not await host._call(lambda engine: engine.has_work)


async def test_a_queue_that_is_full_refuses(
    host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await host.load(tiny_files)
    monkeypatch.setattr(engine_host, "MAX_WAITING_JOBS", 2)
    waiting = [_submit(host), _submit(host)]
    with pytest.raises(GeneratorBusyError) as refusal:
        _submit(host)
    assert refusal.value.retry_after_s
    for _, stream in waiting:
        await collect(stream)
    await _run(host)


async def test_unloading_ends_the_models_jobs_and_frees_its_memory(host: EngineHost, tiny_files: ModelFiles) -> None:
    before = await _active_bytes(host)
    await host.load(tiny_files)
    _, stream = _submit(host, max_tokens=400)
    assert await _active_bytes(host) > before
    await host.unload(TINY_MODEL)
    with pytest.raises(ModelNotLoadedError):
        await collect(stream)
    gc.collect()
    assert await _active_bytes(host) - before < 4096
    with pytest.raises(ModelNotLoadedError):
        await _run(host)


async def test_several_models_run_side_by_side(host: EngineHost, tiny_files: ModelFiles) -> None:
    other = ModelFiles(model_id=ModelId("tests/other"), directory=tiny_files.directory, revision=None, size_bytes=1)
    await host.load(tiny_files)
    await host.load(other)
    one, two = await asyncio.gather(_run(host), _run(host, model_id=other.model_id))
    assert one.text == two.text
    await host.unload(other.model_id)
    assert list(host.language_models) == [TINY_MODEL]
    assert (await _run(host)).text == one.text


async def test_callers_that_load_the_same_model_share_one_load_and_one_that_leaves_does_not_end_it(
    host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[ModelFiles] = []
    load = Engine.load

    def load_and_count(engine: Engine, files: ModelFiles) -> LanguageModel:
        loads.append(files)
        return load(engine, files)

    monkeypatch.setattr(Engine, "load", load_and_count)
    loader = MlxModelLoader(host=host)
    leaver = asyncio.ensure_future(loader.load(tiny_files))
    others = [asyncio.ensure_future(loader.load(tiny_files)) for _ in range(3)]
    await asyncio.sleep(0)
    leaver.cancel()
    assert len(set(await asyncio.gather(*others))) == 1
    assert loads == [tiny_files]


async def test_stopping_ends_what_runs_and_refuses_what_comes(tiny_files: ModelFiles) -> None:
    host = EngineHost(_make_engine)
    await host.start()
    await host.load(tiny_files)
    _, stream = _submit(host, max_tokens=400)
    await host.stop()
    with pytest.raises(ShuttingDownError):
        await collect(stream)
    with pytest.raises(ShuttingDownError):
        _submit(host)
    with pytest.raises(ShuttingDownError):
        await host.load(tiny_files)
    await host.stop()


async def test_a_host_that_was_not_started_says_so() -> None:
    host = EngineHost(_make_engine)
    assert host.failure == "The engine is not started."
    with pytest.raises(ShuttingDownError, match="not started"):
        _submit(host)
    await host.stop()


async def test_an_engine_that_dies_leaves_nobody_waiting(
    tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = EngineHost(_make_engine)
    await host.start()
    await host.load(tiny_files)
    monkeypatch.setattr(Engine, "step", _raise_runtime_error)
    _, stream = _submit(host)
    with pytest.raises(CortexError):
        await collect(stream)
    assert host.failure is not None
    assert "has died" in host.failure
    with pytest.raises(GeneratorFailedError):
        _submit(host)
    await host.stop()


async def test_an_engine_that_cannot_be_made_says_so() -> None:
    host = EngineHost(_raise_runtime_error)
    await host.start()
    with pytest.raises(GeneratorFailedError, match="has died"):
        await host.load(ModelFiles(model_id=TINY_MODEL, directory=Path(), revision=None, size_bytes=0))
    await host.stop()


async def test_a_load_that_fails_inside_mlx_leaves_nothing_behind(host: EngineHost, tiny_files: ModelFiles) -> None:
    empty = ModelFiles(
        model_id=ModelId("tests/empty"), directory=tiny_files.directory / "nothing", revision=None, size_bytes=0
    )
    with pytest.raises(InvalidModelError):
        await host.load(empty)
    assert not host.language_models
    await host.load(tiny_files)
    await _run(host)


async def _active_bytes(host: EngineHost) -> int:
    return await host._call(lambda engine: engine.memory_use().active_bytes)


def _make_engine() -> Engine:
    return Engine(clock=SystemClock())


def _raise_runtime_error(*_args: object) -> Any:
    raise RuntimeError("[metal] out of luck")
