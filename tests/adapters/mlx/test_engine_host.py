"""The engine and its host on a model that takes no time: what one request breaks, no other feels."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlx_lm.generate import BatchGenerator

from cortex_adapters.mlx import active_job, engine_host
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_link import EngineLink
from cortex_adapters.mlx.model_loader import MlxModelLoader
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.thread_link import ThreadLink
from cortex_domain.errors import (
    ContextWindowExceededError,
    CortexError,
    GeneratorBusyError,
    GeneratorFailedError,
    InvalidModelError,
    InvalidRequestError,
    ModelNotLoadedError,
    ShuttingDownError,
    UnavailableReason,
)
from cortex_domain.event_stream import collect
from cortex_domain.events import PrefillProgress, TextDelta
from cortex_domain.generation import GenerationResult, SamplingParameters
from cortex_domain.language_models import LoadOptions, ModelFiles, ModelId
from tests.adapters.mlx.engine_jobs import begin, finish, run, submit
from tests.adapters.mlx.tiny_model import TINY_CONTEXT_WINDOW, TINY_MODEL
from tests.adapters.mlx.watched_host import WatchedHost


async def test_jobs_that_run_together_say_what_they_say_alone(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    texts = ["abcdefghij" * (length // 10) + "." * (length % 10) for length in (3, 40, 7, 200, 12, 90)]
    alone = [await run(host, text) for text in texts]
    together = await asyncio.gather(*(run(host, text) for text in texts))
    assert [result.text for result in together] == [result.text for result in alone]


async def test_a_seed_draws_the_same_alone_and_among_others(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    seeded = SamplingParameters(temperature=1.5, top_p=1, seed=11)
    alone = await run(host, sampling=seeded)
    others = [SamplingParameters(temperature=1.5, top_p=1, seed=seed) for seed in (12, 13)]
    together = await asyncio.gather(*(run(host, sampling=sampling) for sampling in [*others, seeded]))
    assert together[-1].text == alone.text
    assert together[0].text != alone.text


async def test_progress_ends_with_the_whole_prompt(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    open_job = submit(host, "x" * 194, max_tokens=1)
    assert await open_job.accepted == 199
    progress = [event async for event in open_job.stream if isinstance(event, PrefillProgress)]
    assert progress[-1] == PrefillProgress(processed_tokens=199, total_tokens=199)


async def test_a_job_whose_answer_cannot_be_read_ends_alone(
    thread_host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await thread_host.load(tiny_files)
    expected = await run(thread_host)
    take_token = active_job.ActiveJob.take_token

    def fail_for_short_prompts(self: active_job.ActiveJob, *args: Any) -> Iterator[Any]:
        if self.job.messages[0].text == "broken":
            raise ZeroDivisionError
        yield from take_token(self, *args)

    monkeypatch.setattr(active_job.ActiveJob, "take_token", fail_for_short_prompts)
    broken, healthy = await asyncio.gather(run(thread_host, "broken"), run(thread_host), return_exceptions=True)
    assert isinstance(broken, GeneratorFailedError)
    assert isinstance(healthy, GenerationResult)
    assert healthy.text == expected.text


async def test_a_job_that_cannot_begin_ends_alone(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    broken, healthy = await asyncio.gather(run(host, max_tokens=-1), run(host), return_exceptions=True)
    assert isinstance(broken, GeneratorFailedError)
    assert isinstance(healthy, GenerationResult)


async def test_a_step_that_fails_ends_its_jobs_and_the_next_ones_run(
    thread_host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await thread_host.load(tiny_files)
    expected = await run(thread_host)
    with monkeypatch.context() as broken:
        broken.setattr(BatchGenerator, "next", _raise_runtime_error)
        results = await asyncio.gather(run(thread_host), run(thread_host), return_exceptions=True)
    assert all(isinstance(result, GeneratorFailedError) for result in results)
    assert (await run(thread_host)).text == expected.text


async def test_cancelling_frees_the_row_before_the_next_step(watched: WatchedHost) -> None:
    host = watched.host
    open_job = submit(host, max_tokens=400)
    async for event in open_job.stream:
        if isinstance(event, TextDelta):
            break
    host.cancel(open_job.job.id)
    assert (host.active_jobs, host.waiting_jobs) == (0, 0)
    assert not await watched.has_work()


async def test_cancelling_works_while_the_prompt_is_read_and_while_queued(watched: WatchedHost) -> None:
    host = watched.host
    jobs = [submit(host, "x" * 250, max_tokens=200) for _ in range(60)]
    assert host.waiting_jobs == 60
    await jobs[0].accepted
    for open_job in jobs:
        host.cancel(open_job.job.id)
    assert (host.active_jobs, host.waiting_jobs) == (0, 0)
    assert not await watched.has_work()


async def test_those_who_cancel_leave_the_others_their_text(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    expected = await run(host)
    leavers = [submit(host, "x" * 250, max_tokens=200) for _ in range(20)]
    stayer = submit(host)
    await leavers[0].accepted
    for open_job in leavers:
        host.cancel(open_job.job.id)
    assert (await finish(stayer)).text == expected.text
    assert (host.active_jobs, host.waiting_jobs) == (0, 0)


async def test_a_queue_that_is_full_refuses(
    host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await host.load(tiny_files)
    monkeypatch.setattr(engine_host, "MAX_WAITING_JOBS", 2)
    waiting = [submit(host, owner="a"), submit(host, owner="b")]
    with pytest.raises(GeneratorBusyError, match="2 requests are waiting") as refusal:
        submit(host)
    assert refusal.value.retry_after_s
    assert refusal.value.reason is UnavailableReason.QUEUE_FULL
    for open_job in waiting:
        await finish(open_job)
    await run(host)


async def test_an_owner_who_fills_its_part_of_the_queue_leaves_room_for_others(
    host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await host.load(tiny_files)
    monkeypatch.setattr(engine_host, "MAX_WAITING_JOBS_OF_OWNER", 2)
    waiting = [submit(host, owner="many"), submit(host, owner="many")]
    with pytest.raises(GeneratorBusyError, match="2 requests of this owner are waiting"):
        submit(host, owner="many")
    waiting.append(submit(host, owner="one"))
    for open_job in waiting:
        await finish(open_job)
    await run(host)


async def test_unloading_ends_the_models_jobs_and_frees_its_memory(host: EngineHost, tiny_files: ModelFiles) -> None:
    before = await _active_bytes(host)
    await host.load(tiny_files)
    open_job = await begin(submit(host, max_tokens=400))
    assert await _active_bytes(host) > before
    await host.unload(TINY_MODEL)
    with pytest.raises(ModelNotLoadedError):
        await collect(open_job.stream)
    gc.collect()
    assert await _active_bytes(host) - before < 4096
    with pytest.raises(ModelNotLoadedError):
        await run(host)


async def test_several_models_run_side_by_side(host: EngineHost, tiny_files: ModelFiles) -> None:
    other = ModelFiles(model_id=ModelId("tests/other"), directory=tiny_files.directory, revision=None, size_bytes=1)
    await host.load(tiny_files)
    await host.load(other)
    one, two = await asyncio.gather(run(host), run(host, model_id=other.model_id))
    assert one.text == two.text
    await host.unload(other.model_id)
    assert [model.id for model in host.models] == [TINY_MODEL]
    assert (await run(host)).text == one.text


async def test_callers_that_load_the_same_model_share_one_load_and_one_that_leaves_does_not_end_it(
    thread_host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[ModelFiles] = []
    load = Engine.load

    def load_and_count(engine: Engine, files: ModelFiles, options: LoadOptions | None) -> LanguageModel:
        loads.append(files)
        return load(engine, files, options)

    monkeypatch.setattr(Engine, "load", load_and_count)
    loader = MlxModelLoader(host=thread_host)
    leaver = asyncio.ensure_future(loader.load(tiny_files))
    others = [asyncio.ensure_future(loader.load(tiny_files)) for _ in range(3)]
    await asyncio.sleep(0)
    leaver.cancel()
    assert len(set(await asyncio.gather(*others))) == 1
    assert loads == [tiny_files]


async def test_an_unload_that_overtakes_a_load_has_the_last_word(host: EngineHost, tiny_files: ModelFiles) -> None:
    loading = asyncio.ensure_future(host.load(tiny_files))
    await asyncio.sleep(0)
    await host.unload(TINY_MODEL)
    assert (await loading).id == TINY_MODEL
    assert not host.models
    with pytest.raises(ModelNotLoadedError):
        await run(host)


async def test_a_load_whose_caller_leaves_is_known_to_the_host(host: EngineHost, tiny_files: ModelFiles) -> None:
    loading = asyncio.ensure_future(host.load(tiny_files))
    await asyncio.sleep(0)
    loading.cancel()
    await host.unload(ModelId("tests/nothing"))
    assert [model.id for model in host.models] == [TINY_MODEL]


async def test_a_prompt_beyond_the_window_is_refused_with_its_length(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    with pytest.raises(ContextWindowExceededError) as refusal:
        await run(host, "x" * 500, max_tokens=10)
    facts = (refusal.value.prompt_tokens, refusal.value.max_tokens, refusal.value.context_window)
    assert facts == (505, 10, TINY_CONTEXT_WINDOW)


async def test_numbers_of_any_size_are_refused_like_others(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    with pytest.raises(ContextWindowExceededError) as refusal:
        await run(host, max_tokens=10**30)
    assert refusal.value.max_tokens == 10**30
    with pytest.raises(InvalidRequestError, match="logit_bias"):
        await run(host, sampling=SamplingParameters(logit_bias={10**30: 1.0}))
    assert (await run(host, sampling=SamplingParameters(temperature=0, top_k=10**30))).text == (await run(host)).text


async def test_stopping_ends_what_runs_and_refuses_what_comes(link: EngineLink, tiny_files: ModelFiles) -> None:
    host = EngineHost(link)
    await host.start()
    await host.load(tiny_files)
    open_job = await begin(submit(host, max_tokens=400))
    await host.stop()
    with pytest.raises(ShuttingDownError):
        await collect(open_job.stream)
    with pytest.raises(ShuttingDownError):
        submit(host)
    with pytest.raises(ShuttingDownError):
        await host.load(tiny_files)
    with pytest.raises(ShuttingDownError):
        await host.unload(TINY_MODEL)
    await host.stop()


async def test_stopping_refuses_what_the_engine_had_not_accepted(link: EngineLink, tiny_files: ModelFiles) -> None:
    host = EngineHost(link)
    await host.start()
    await host.load(tiny_files)
    loading = asyncio.ensure_future(host.load(replace(tiny_files, model_id=ModelId("tests/other"))))
    open_jobs = [submit(host) for _ in range(5)]
    stopping = asyncio.ensure_future(host.stop())
    results = await asyncio.gather(loading, *map(finish, open_jobs), return_exceptions=True)
    assert all(isinstance(result, ShuttingDownError) for result in results[1:])
    await stopping


async def test_a_host_that_is_stopped_while_it_starts_does_not_start(link: EngineLink) -> None:
    host = EngineHost(link)
    starting = asyncio.ensure_future(host.start())
    await asyncio.sleep(0)
    await host.stop()
    with pytest.raises(ShuttingDownError):
        await starting
    assert host.failure is not None


async def test_a_host_that_was_not_started_says_so(link: EngineLink) -> None:
    host = EngineHost(link)
    assert host.failure == "The engine is not started."
    with pytest.raises(ShuttingDownError, match="not started"):
        submit(host)
    await host.stop()


async def test_a_job_that_engines_die_of_is_refused_and_the_next_ones_run(
    thread_host: EngineHost, tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await thread_host.load(tiny_files)
    expected = await run(thread_host)
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "step", _raise_runtime_error)
        with pytest.raises(GeneratorFailedError, match="out of luck"):
            await run(thread_host)
    assert (await run(thread_host)).text == expected.text
    assert thread_host.restarts == 2
    assert thread_host.failure is None


async def test_an_engine_that_dies_for_good_leaves_nobody_waiting(
    tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers: list[Callable[[], Engine]] = [Engine]

    def make_only_one() -> Engine:
        return (makers.pop() if makers else _raise_runtime_error)()

    host = EngineHost(ThreadLink(make_only_one))
    await host.start()
    await host.load(tiny_files)
    monkeypatch.setattr(Engine, "step", _raise_runtime_error)
    open_job = submit(host)
    with pytest.raises(CortexError):
        await finish(open_job)
    assert host.failure is not None
    assert "so did every new one" in host.failure
    with pytest.raises(GeneratorFailedError):
        submit(host)
    await host.stop()


async def test_an_engine_that_cannot_be_made_says_so() -> None:
    host = EngineHost(ThreadLink(_raise_runtime_error))
    with pytest.raises(GeneratorFailedError, match="out of luck"):
        await host.start()
    assert host.failure is not None
    with pytest.raises(GeneratorFailedError, match="so did every new one"):
        await host.load(ModelFiles(model_id=TINY_MODEL, directory=Path(), revision=None, size_bytes=0))
    await host.stop()


async def test_a_load_that_fails_inside_mlx_leaves_nothing_behind(host: EngineHost, tiny_files: ModelFiles) -> None:
    empty = ModelFiles(
        model_id=ModelId("tests/empty"), directory=tiny_files.directory / "nothing", revision=None, size_bytes=0
    )
    with pytest.raises(InvalidModelError):
        await host.load(empty)
    assert not host.models
    await host.load(tiny_files)
    await run(host)


async def _active_bytes(host: EngineHost) -> int:
    await host.unload(ModelId("tests/nothing"))
    return host.memory_use.active_bytes


def _raise_runtime_error(*_args: object) -> Any:
    raise RuntimeError("[metal] out of luck")
