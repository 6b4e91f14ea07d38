"""What was computed outlives the engine: prompts are found on disk, and nothing that is wrong there costs a request."""

import asyncio
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cortex_adapters.mlx import prefix_cache
from cortex_adapters.mlx.block_directory import BlockDirectory
from cortex_adapters.mlx.block_format import StoredBlock
from cortex_adapters.mlx.disk_tier import DiskTier
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_link import EngineLink
from cortex_adapters.mlx.engine_options import EngineOptions
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_adapters.mlx.thread_link import ThreadLink
from cortex_domain.generation import CacheMiss, CacheMissReason, SamplingParameters
from cortex_domain.language_models import LoadOptions, ModelFiles
from tests.adapters.mlx.engine_jobs import run
from tests.adapters.mlx.engine_runs import Ask, driven_engine
from tests.adapters.mlx.tiny_model import write_tiny_model

SEEDED = SamplingParameters(temperature=1.2, top_p=1, seed=11)
NOTHING_CACHED = CacheMiss(reason=CacheMissReason.NOT_CACHED, message_index=0, token_position=0)
PROMPT = [random.Random(1).randrange(256) for _ in range(200)]
ON_DISK = 192
"""Tokens of the prompt in full blocks."""


@pytest.fixture
def limits(tmp_path: Path) -> PrefixCacheLimits:
    return PrefixCacheLimits(disk_bytes=10**7, directory=str(tmp_path / "cache"))


def _files(limits: PrefixCacheLimits) -> list[Path]:
    return sorted(Path(str(limits.directory)).glob("*.safetensors"))


@pytest.mark.parametrize("sampling", [SamplingParameters(temperature=0), SEEDED])
def test_a_prompt_outlives_the_engine(
    tiny_files: ModelFiles, limits: PrefixCacheLimits, sampling: SamplingParameters
) -> None:
    with driven_engine(tiny_files, limits) as engine:
        cold = engine.ask(PROMPT, sampling=sampling)
    assert len(_files(limits)) == 3
    with driven_engine(tiny_files, limits) as engine:
        warm, beside = engine.ask_all([Ask(PROMPT, sampling=sampling), Ask(PROMPT[:100] + PROMPT, sampling=sampling)])
    assert (warm.cached_tokens, warm.cache_miss, warm.tokens) == (ON_DISK, None, cold.tokens)
    assert beside.cached_tokens >= 64


def test_an_answer_goes_on_from_what_is_on_disk(tiny_files: ModelFiles, limits: PrefixCacheLimits) -> None:
    with driven_engine(tiny_files, limits) as engine:
        whole = engine.ask(PROMPT, sampling=SEEDED).tokens
    with driven_engine(tiny_files, limits) as engine:
        run = engine.ask(PROMPT, answer=whole[:9], sampling=SEEDED)
    assert (run.tokens, run.cached_tokens) == (whole, ON_DISK)


def test_another_owner_another_model_and_other_options_find_nothing(tmp_path: Path, limits: PrefixCacheLimits) -> None:
    files = write_tiny_model(tmp_path, hidden_size=64)
    with driven_engine(files, limits) as engine:
        engine.ask(PROMPT, owner="me")
    with driven_engine(files, limits) as engine:
        assert engine.ask(PROMPT, owner="you").cache_miss == NOTHING_CACHED
        assert engine.ask(PROMPT, owner="me").cached_tokens == ON_DISK
    with driven_engine(files, limits, options=LoadOptions(kv_cache_bits=8)) as engine:
        assert engine.ask(PROMPT, owner="me").cache_miss == NOTHING_CACHED
    os.utime(tmp_path / "model.safetensors", (1, 1))
    with driven_engine(files, limits) as engine:
        assert engine.ask(PROMPT, owner="me").cache_miss == NOTHING_CACHED


def test_packed_caches_outlive_the_engine(tmp_path: Path, limits: PrefixCacheLimits) -> None:
    files, options = write_tiny_model(tmp_path, hidden_size=64), LoadOptions(kv_cache_bits=4)
    with driven_engine(files, limits, options=options) as engine:
        cold = engine.ask(PROMPT)
    with driven_engine(files, limits, options=options) as engine:
        warm = engine.ask(PROMPT)
    assert (warm.cached_tokens, warm.tokens) == (ON_DISK, cold.tokens)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_file_is_a_miss_from_there_on(tiny_files: ModelFiles, limits: PrefixCacheLimits, number: int) -> None:
    with driven_engine(tiny_files, limits) as engine:
        cold = engine.ask(PROMPT)
    damaged = sorted(_files(limits), key=lambda path: path.stat().st_mtime_ns)[number]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with driven_engine(tiny_files, limits) as engine:
        again, third = engine.ask(PROMPT), engine.ask(PROMPT)
    assert (again.tokens, third.tokens) == (cold.tokens, cold.tokens)
    assert again.cached_tokens == number * 64
    assert third.cached_tokens == len(PROMPT) - 1
    assert len(_files(limits)) == 3


def test_a_block_of_another_shape_is_a_miss(
    tiny_files: ModelFiles, limits: PrefixCacheLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driven_engine(tiny_files, limits) as engine:
        cold = engine.ask(PROMPT)
    read = BlockDirectory.read

    def reshaped(directory: BlockDirectory, name: str) -> Any:
        block = read(directory, name)
        assert block is not None
        layers, heads, tokens, size = block.keys.shape
        return replace(block, keys=replace(block.keys, shape=(layers, heads * 2, tokens, size // 2)))

    monkeypatch.setattr(BlockDirectory, "read", reshaped)
    with driven_engine(tiny_files, limits) as engine:
        engine.ask(PROMPT[:70], owner="somebody else")  # now the model's shape is known
        again = engine.ask(PROMPT)
    assert (again.tokens, again.cached_tokens) == (cold.tokens, 0)


def _refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_costs_no_request_and_one_warning(
    tiny_files: ModelFiles, limits: PrefixCacheLimits, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "fsync", _refuse)
    with driven_engine(tiny_files, limits) as engine:
        cold, warm = engine.ask(PROMPT), engine.ask(PROMPT)
        engine.ask(PROMPT[::-1])
    assert (cold.tokens, warm.cached_tokens) == (warm.tokens, len(PROMPT) - 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "No space left" in caplog.text
    assert _files(limits) == []


def test_a_directory_that_cannot_be_used_costs_one_warning(
    tiny_files: ModelFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    limits = PrefixCacheLimits(disk_bytes=10**7, directory=str(tmp_path / "file" / "cache"))
    with driven_engine(tiny_files, limits) as engine:
        assert engine.ask(PROMPT).tokens
        assert engine.engine.prefix_cache_use().disk_bytes == 0
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_second_engine_does_without(tiny_files: ModelFiles, limits: PrefixCacheLimits) -> None:
    with driven_engine(tiny_files, limits) as first, driven_engine(tiny_files, limits) as second:
        first.ask(PROMPT)
        assert second.ask(PROMPT).cache_miss == NOTHING_CACHED
        assert second.engine.prefix_cache_use().disk_bytes == 0


def test_both_budgets_hold_while_requests_run(tiny_files: ModelFiles, limits: PrefixCacheLimits) -> None:
    budget_bytes = 100_000
    limits = replace(limits, memory_bytes=budget_bytes, disk_bytes=budget_bytes)

    def require_budgets(engine: Engine) -> None:
        use = engine.prefix_cache_use()
        assert max(use.memory_bytes, use.disk_bytes) <= budget_bytes

    prompts = [[random.Random(n).randrange(256) for _ in range(100 + 40 * n)] for n in range(6)]
    for _ in range(2):
        with driven_engine(tiny_files, limits, require_budgets) as engine:
            assert all(run.tokens for run in engine.ask_all([Ask(prompt) for prompt in prompts]))
        assert budget_bytes / 2 < sum(path.stat().st_size for path in _files(limits)) <= budget_bytes


def test_a_job_that_is_cancelled_while_it_waits_for_the_disk_is_gone(
    tiny_files: ModelFiles, limits: PrefixCacheLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driven_engine(tiny_files, limits) as engine:
        engine.ask(PROMPT)
    monkeypatch.setattr(BlockDirectory, "read", lambda *_: time.sleep(0.2))
    with driven_engine(tiny_files, limits) as engine:
        left = engine.begin(Ask(PROMPT))
        assert not engine.engine.has_work
        engine.engine.cancel(engine.last_job_id)
        left.is_over = True
        assert engine.ask(PROMPT).cached_tokens == 0
    assert left.tokens == []


@pytest.mark.parametrize("place", ["thread", "process"])
async def test_a_host_that_is_started_again_finds_what_the_last_one_kept(
    tiny_files: ModelFiles, limits: PrefixCacheLimits, place: str
) -> None:
    options = EngineOptions(prefix_cache=limits)
    texts = []
    for cached_tokens in (0, ON_DISK):
        link: EngineLink = ThreadLink(lambda: Engine(options)) if place == "thread" else ProcessLink(options=options)
        host = EngineHost(link)
        await host.start()
        await host.load(tiny_files)
        result = await run(host, "x" * 200)
        assert result.usage.cached_prompt_tokens == cached_tokens
        texts.append(result.text)
        await host.stop()
    assert texts[0] == texts[1]
    assert len(_files(limits)) == 3


async def test_a_worker_that_takes_the_place_of_a_dead_one_finds_what_that_kept(
    tiny_files: ModelFiles, limits: PrefixCacheLimits
) -> None:
    link = ProcessLink(options=EngineOptions(prefix_cache=limits))
    host = EngineHost(link)
    await host.start()
    await host.load(tiny_files)
    first = await run(host, "x" * 200)
    while len(_files(limits)) < 3:
        await asyncio.sleep(0.01)
    assert link.pid is not None
    os.kill(link.pid, signal.SIGKILL)
    while not host.restarts or host.failure is not None:
        await asyncio.sleep(0.01)
    second = await run(host, "x" * 200)
    await host.stop()
    assert (second.text, second.usage.cached_prompt_tokens) == (first.text, ON_DISK)


def test_while_somebody_waits_for_tokens_the_disk_waits_too(
    tiny_files: ModelFiles, limits: PrefixCacheLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefix_cache, "_BUSY_SHARE", 1e-9)
    while_busy: list[bool] = []
    with driven_engine(tiny_files, limits) as engine:
        write = DiskTier.write

        def note(tier: DiskTier, name: str, block: StoredBlock) -> None:
            while_busy.append(engine.engine.has_begun)
            write(tier, name, block)

        monkeypatch.setattr(DiskTier, "write", note)
        engine.ask_all([Ask([*range(200)]), Ask([*range(220, 0, -1)] * 2)])
        while engine.engine.has_work:
            engine.step()
    assert while_busy.count(True) == 1
    assert len(_files(limits)) == 3 + 6
