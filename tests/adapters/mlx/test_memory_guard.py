"""Models that do not fit are refused; those that nobody uses make room; unloading gives the memory back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from cortex_adapters.mlx import model_loading
from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.device import available_memory_bytes, memory_use, total_memory_bytes
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_options import EngineOptions
from cortex_adapters.mlx.memory_guard import FIRST_CHAT_TOKENS, MemoryGuard
from cortex_adapters.mlx.model_loading import load_language_model
from cortex_adapters.mlx.model_memory import estimate_model_memory
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_domain.errors import (
    CortexError,
    GeneratorBusyError,
    GeneratorFailedError,
    InsufficientMemoryError,
    MemoryExceededError,
    MemoryPressureError,
)
from cortex_domain.events import GenerationStarted
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import ModelFiles, ModelId
from cortex_domain.messages import user_message
from cortex_entrypoints import Cortex, EnginePlacement, Settings, open_cortex
from tests.adapters.mlx.engine_jobs import finish, run, submit
from tests.adapters.mlx.tiny_model import write_tiny_model

_SMALL_CHANGE_BYTES = 10_000
"""More than the numbers that an engine keeps besides weights and caches, less than any of these."""

NAMES = ("tests/a", "tests/b", "tests/c")


def _tiny_bytes(files: ModelFiles) -> tuple[int, int]:
    memory = estimate_model_memory(Path(files.directory))
    return memory.weights_bytes, memory.bytes_with_sequence(FIRST_CHAT_TOKENS)


def test_what_is_available_is_what_the_device_has_free_less_a_reserve() -> None:
    reserve_bytes = available_memory_bytes() - MemoryGuard().available_bytes()
    assert 0 < reserve_bytes < 0.2 * total_memory_bytes()
    assert total_memory_bytes() >= available_memory_bytes()
    active_bytes = memory_use().active_bytes
    assert MemoryGuard(limit_bytes=active_bytes + 7).available_bytes() == 7
    assert MemoryGuard(limit_bytes=0).available_bytes() == 0


def test_options_survive_the_way_to_a_worker() -> None:
    options = EngineOptions(
        memory_limit_bytes=2**40, prefix_cache=PrefixCacheLimits(memory_bytes=7, disk_bytes=8, directory="/kept/ü")
    )
    assert EngineOptions.from_arguments(options.to_arguments()) == options
    assert EngineOptions.from_arguments([]) == EngineOptions()


async def test_an_engine_keeps_to_its_limit_and_serves_on(tiny_files: ModelFiles) -> None:
    weights_bytes, first_bytes = _tiny_bytes(tiny_files)
    host = _limited_host(weights_bytes + first_bytes - 1)
    await host.start()
    await host.load(tiny_files)
    with pytest.raises(InsufficientMemoryError) as refusal:
        await host.load(replace(tiny_files, model_id=ModelId("tests/second")))
    assert refusal.value.required_bytes == first_bytes
    assert refusal.value.available_bytes < first_bytes
    assert (await run(host)).usage.completion_tokens
    await host.unload(tiny_files.model_id)
    assert (await host.load(replace(tiny_files, model_id=ModelId("tests/second")))).memory_bytes == weights_bytes
    await host.stop()


@asynccontextmanager
async def _cortex_for_two(directory: Path, *, pinned: tuple[str, ...] = ()) -> AsyncIterator[Cortex]:
    """Opens a Cortex that has three models and memory for two of them."""
    for name in NAMES:
        place = directory / name.replace("/", "--")
        place.mkdir()
        files = write_tiny_model(place)
    weights_bytes, first_bytes = _tiny_bytes(files)
    settings = Settings(
        default_model=NAMES[0],
        model_cache_dir=directory,
        memory_limit_bytes=weights_bytes + first_bytes + _SMALL_CHANGE_BYTES,
        pinned_models=pinned,
    )
    async with open_cortex(settings, placement=EnginePlacement.PROCESS) as cortex:
        yield cortex


def _loaded(cortex: Cortex) -> list[ModelId]:
    return [model.id for model in cortex.loaded_models()]


async def test_the_least_recently_used_model_makes_room(tmp_path: Path) -> None:
    first, second, third = NAMES
    async with _cortex_for_two(tmp_path) as cortex:
        await cortex.load_model(first)
        await cortex.load_model(second)
        await cortex.load_model(first)
        await cortex.load_model(third)
        assert _loaded(cortex) == [first, third]
        active_bytes = cortex.engine_monitor.status().active_memory_bytes
        await cortex.load_model(second)
        assert _loaded(cortex) == [third, second]
        assert cortex.engine_monitor.status().active_memory_bytes <= active_bytes + _SMALL_CHANGE_BYTES


async def test_a_pinned_model_makes_no_room(tmp_path: Path) -> None:
    first, second, third = NAMES
    async with _cortex_for_two(tmp_path, pinned=(first,)) as cortex:
        await cortex.load_model(first)
        await cortex.load_model(second)
        await cortex.load_model(third)
        assert _loaded(cortex) == [first, third]
        await cortex.load_model(third, pinned=True)
        with pytest.raises(InsufficientMemoryError):
            await cortex.load_model(second)
        assert _loaded(cortex) == [first, third]


def _write_long_model(directory: Path) -> ModelFiles:
    """Writes a model with a window that no test's memory holds."""
    directory.mkdir()
    files = write_tiny_model(directory)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 100_000}))
    return files


async def test_a_request_that_can_never_run_is_refused_with_both_sizes(tmp_path: Path) -> None:
    files = _write_long_model(tmp_path / "long")
    memory = estimate_model_memory(Path(files.directory))
    limit_bytes = memory.bytes_with_sequence(4096) + _SMALL_CHANGE_BYTES
    host = _limited_host(limit_bytes)
    await host.start()
    await host.load(files)
    refused_prompt_tokens = (await run(host, max_tokens=1)).usage.prompt_tokens
    with pytest.raises(MemoryExceededError) as refusal:
        await run(host, max_tokens=50_000)
    assert refusal.value.available_bytes == limit_bytes - memory.weights_bytes
    assert refusal.value.required_bytes == memory.sequence_bytes(50_000 + refused_prompt_tokens)
    await host.stop()


async def test_a_request_that_cannot_run_now_is_told_so_and_idle_models_make_room(tmp_path: Path) -> None:
    """Beside both models there is room for 4,096 tokens; beside one of them for over 500 more."""
    names = NAMES[:2]
    for name in names:
        files = _write_long_model(tmp_path / name.replace("/", "--"))
    memory = estimate_model_memory(Path(files.directory))
    limit_bytes = memory.weights_bytes + memory.bytes_with_sequence(4096) + _SMALL_CHANGE_BYTES
    settings = Settings(default_model=names[0], model_cache_dir=tmp_path, memory_limit_bytes=limit_bytes)
    request = GenerationRequest(model=ModelId(names[0]), messages=(user_message("hello"),), max_tokens=4300)
    async with open_cortex(settings, placement=EnginePlacement.PROCESS) as cortex:
        await cortex.load_model(names[0])
        await cortex.load_model(names[1], pinned=True)
        with pytest.raises(MemoryPressureError) as refusal:
            await cortex.generate_text(request).__aenter__()
        assert refusal.value.required_bytes - refusal.value.available_bytes < memory.weights_bytes
        await cortex.load_model(names[1], pinned=False)
        async with cortex.generate_text(request) as events:
            assert [type(await anext(events)), _loaded(cortex)] == [GenerationStarted, [names[0]]]


async def test_requests_that_do_not_fit_beside_others_wait_for_them(tiny_files: ModelFiles) -> None:
    """Half the window is what a request of this length may come to take; there is room for three of eight at a time."""
    memory = estimate_model_memory(Path(tiny_files.directory))
    limit_bytes = memory.weights_bytes + 3 * memory.sequence_bytes(256) + _SMALL_CHANGE_BYTES
    texts = [f"say {number}" for number in range(8)]
    unlimited, limited = EngineHost(ProcessLink()), _limited_host(limit_bytes)
    for host in (unlimited, limited):
        await host.start()
        await host.load(tiny_files)
    jobs = [submit(limited, text, max_tokens=100) for text in texts]
    answers = asyncio.gather(*(finish(job) for job in jobs))
    most_at_once = 0
    while not answers.done():
        most_at_once = max(most_at_once, limited.active_jobs)
        await asyncio.sleep(0)
    expected = await asyncio.gather(*(run(unlimited, text, max_tokens=100) for text in texts))
    assert [answer.text for answer in answers.result()] == [answer.text for answer in expected]
    assert most_at_once == 3
    await unlimited.stop()
    await limited.stop()


async def test_requests_of_one_model_wait_for_those_of_another(tiny_files: ModelFiles) -> None:
    other = ModelId("tests/other")
    memory = estimate_model_memory(Path(tiny_files.directory))
    host = _limited_host(2 * memory.weights_bytes + 2 * memory.sequence_bytes(256) + _SMALL_CHANGE_BYTES)
    await host.start()
    await host.load(tiny_files)
    await host.load(replace(tiny_files, model_id=other))
    jobs = [submit(host, max_tokens=100) for _ in range(2)]
    late = submit(host, max_tokens=100, model_id=other)
    answers = asyncio.gather(*(finish(job) for job in jobs))
    last = asyncio.ensure_future(finish(late))
    most_at_once = 0
    while not last.done():
        most_at_once = max(most_at_once, host.active_jobs)
        await asyncio.sleep(0)
    assert [answer.text for answer in await answers] == [last.result().text] * 2
    assert most_at_once == 2
    await host.stop()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[metal::malloc] Attempting to allocate 9 bytes which is greater than the maximum"),
        RuntimeError("[malloc] Unable to allocate 9 bytes."),
        RuntimeError("cudaMallocAsync failed: out of memory"),
    ],
)
def test_a_load_that_runs_out_of_memory_all_the_same_is_no_fault_of_the_files(
    tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(model_loading, "measure_kv_cache", Mock(side_effect=error))
    with pytest.raises(InsufficientMemoryError) as refusal:
        load_language_model(tiny_files)
    assert refusal.value.required_bytes == _tiny_bytes(tiny_files)[1]


@pytest.mark.parametrize(
    ("error", "ended"),
    [(RuntimeError("[malloc] Unable to allocate 9 bytes."), GeneratorBusyError), (ValueError(), GeneratorFailedError)],
)
async def test_a_step_that_runs_out_of_memory_ends_what_ran_and_the_engine_goes_on(
    thread_host: EngineHost,
    tiny_files: ModelFiles,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    ended: type[CortexError],
) -> None:
    await thread_host.load(tiny_files)
    expected = await run(thread_host)
    with monkeypatch.context() as patched:
        patched.setattr(LeanBatchGenerator, "next", Mock(side_effect=error))
        with pytest.raises(ended) as caught:
            await run(thread_host)
    assert getattr(caught.value, "reason", None) == ("memory_pressure" if ended is GeneratorBusyError else None)
    assert (await run(thread_host)).text == expected.text


def _limited_host(limit_bytes: int) -> EngineHost:
    return EngineHost(ProcessLink(options=EngineOptions(memory_limit_bytes=limit_bytes)))
