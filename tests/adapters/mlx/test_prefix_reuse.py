"""What was computed is reused, changes no answer, stays within its budget, and is told truly."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlx_lm.models.cache import RotatingKVCache

from cortex_adapters.mlx import model_batch, model_prefixes, row_caches
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits
from cortex_domain.event_stream import collect
from cortex_domain.generation import CacheMiss, CacheMissReason, SamplingParameters
from cortex_domain.language_models import LoadOptions, ModelFiles
from cortex_domain.messages import Message, assistant_message, system_message, user_message
from tests.adapters.mlx.engine_jobs import begin, make_job, run
from tests.adapters.mlx.engine_runs import GREEDY, MAX_TOKENS, Ask, driven_engine
from tests.adapters.mlx.tiny_model import TINY_MODEL, write_tiny_model

OFF = PrefixCacheLimits(memory_bytes=0)
SEEDED = SamplingParameters(temperature=1.2, top_p=1, seed=11)
PENALISED = SamplingParameters(temperature=0, repetition_penalty=1.4, frequency_penalty=1, logit_bias={65: 3})
SAMPLINGS = [GREEDY, SEEDED, PENALISED]
TOKEN_BYTES = 2 * 2 * 16 * 4
"""Of the tiny model: keys and values of two layers, one head of 16 float32 each."""


def _prompt(length: int, seed: int = 0) -> list[int]:
    numbers = random.Random(seed)
    return [numbers.randrange(256) for _ in range(length)]


SHARED = _prompt(150)


def _cold(files: ModelFiles, asks: Sequence[Ask]) -> list[list[int]]:
    """What an engine that keeps nothing says, one after the other."""
    with driven_engine(files, OFF) as engine:
        return [engine.ask_all([ask])[0].tokens for ask in asks]


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_prompt_that_is_asked_again_is_computed_but_for_its_last_token(
    tiny_files: ModelFiles, sampling: SamplingParameters
) -> None:
    with driven_engine(tiny_files) as engine:
        first, second = (engine.ask(SHARED, sampling=sampling) for _ in range(2))
    assert first.cache_miss == CacheMiss(reason=CacheMissReason.NOT_CACHED, message_index=0, token_position=0)
    assert first.cached_tokens == 0
    assert (second.cached_tokens, second.cache_miss) == (len(SHARED) - 1, None)
    assert [first.tokens, second.tokens] == _cold(tiny_files, [Ask(SHARED, sampling=sampling)]) * 2


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("drawn", [0, 1, MAX_TOKENS - 1, MAX_TOKENS])
def test_a_prompt_may_be_what_was_computed_before_or_a_part_of_it(
    tiny_files: ModelFiles, sampling: SamplingParameters, drawn: int
) -> None:
    """The last one equals a cached sequence, so that nothing of it is left to be computed."""
    with driven_engine(tiny_files) as engine:
        first = engine.ask(SHARED, sampling=sampling)
        prompt = SHARED + first.tokens[:drawn]
        second = engine.ask(prompt, sampling=sampling)
    assert second.cached_tokens == len(prompt) - 1
    assert [second.tokens] == _cold(tiny_files, [Ask(prompt, sampling=sampling)])


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 66, 128, 129])
def test_prompts_of_any_length_are_reused(tiny_files: ModelFiles, length: int) -> None:
    prompt = SHARED[:length]
    with driven_engine(tiny_files) as engine:
        cold, warm = engine.ask(prompt), engine.ask(prompt)
    assert (cold.tokens, warm.cached_tokens) == (warm.tokens, length - 1)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_streams_that_share_a_beginning_run_side_by_side(tiny_files: ModelFiles, sampling: SamplingParameters) -> None:
    """Some are warm and some cold, and of different lengths."""
    asks = [Ask(SHARED + _prompt(length, seed=length), sampling=sampling) for length in (1, 2, 40, 90)]
    asks += [Ask(SHARED, sampling=sampling), Ask(_prompt(70, seed=5), sampling=sampling)]
    with driven_engine(tiny_files) as engine:
        engine.ask(SHARED)
        runs = engine.ask_all(asks)
    assert [run.tokens for run in runs] == _cold(tiny_files, asks)
    assert [run.cached_tokens for run in runs] == [150, 150, 150, 150, 149, 0]


def test_a_long_prompt_is_reused_while_its_answer_still_comes(tiny_files: ModelFiles) -> None:
    prompt = _prompt(300)
    with driven_engine(tiny_files) as engine:
        early = engine.begin(Ask(prompt))
        while not early.tokens:
            engine.step()
        assert early.usage is None
        late = engine.ask(prompt)
    assert late.cached_tokens == len(prompt) - 1
    assert [early.tokens, late.tokens] == _cold(tiny_files, [Ask(prompt)]) * 2


def test_a_long_prompt_is_kept_piece_by_piece(tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_adapters.mlx.prefill_pacing.MAX_ROW_TOKENS", 100)
    with driven_engine(tiny_files) as engine:
        early = engine.begin(Ask(_prompt(450)))
        while not engine.engine.prefix_cache_use().memory_bytes:
            engine.step()
        assert early.tokens == []
        left = engine.ask(_prompt(450)[:300])
    assert left.cached_tokens == 256  # whole blocks of the 300 that were read by then


@pytest.mark.parametrize("told", [1, 7, MAX_TOKENS - 1])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_an_answer_that_goes_on_from_another_engine_is_the_same(
    tiny_files: ModelFiles, sampling: SamplingParameters, told: int
) -> None:
    [whole] = _cold(tiny_files, [Ask(SHARED, sampling=sampling)])
    with driven_engine(tiny_files) as engine:
        engine.ask(SHARED + whole[: told // 2])
        run = engine.ask(SHARED, answer=whole[:told], sampling=sampling)
    assert run.tokens == whole
    assert run.cached_tokens == len(SHARED)
    assert run.cache_miss is None


def test_progress_counts_what_was_reused(tiny_files: ModelFiles) -> None:
    with driven_engine(tiny_files) as engine:
        engine.ask(SHARED)
        progress = engine.ask(SHARED + _prompt(40, seed=1)).progress
    assert all(event.processed_tokens > len(SHARED) and event.total_tokens == 190 for event in progress)
    assert progress[-1].processed_tokens == 190


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_job_that_was_cancelled_leaves_nothing(tiny_files: ModelFiles, steps: int) -> None:
    with driven_engine(tiny_files) as engine:
        engine.ask(SHARED, cancel_after=steps)
        assert engine.engine.prefix_cache_use().memory_bytes == 0
        run = engine.ask(SHARED)
    assert [run.tokens] == _cold(tiny_files, [Ask(SHARED)])


def test_owners_do_not_share(tiny_files: ModelFiles) -> None:
    with driven_engine(tiny_files) as engine:
        engine.ask(SHARED, owner="me")
        run = engine.ask(SHARED, owner="you")
        again = engine.ask(SHARED, owner="you")
    assert run.cached_tokens == 0
    assert run.cache_miss == CacheMiss(reason=CacheMissReason.OTHER_OWNER, message_index=0, token_position=0)
    assert again.cached_tokens == len(SHARED) - 1


BUDGET_BYTES = 300 * TOKEN_BYTES


def _require_budget(engine: Engine) -> None:
    assert engine.prefix_cache_use().memory_bytes <= BUDGET_BYTES


def test_the_budget_holds_while_requests_run_and_what_made_room_is_told(tiny_files: ModelFiles) -> None:
    asks = [Ask(_prompt(40 + 30 * n, seed=n)) for n in range(8)]
    with driven_engine(tiny_files, PrefixCacheLimits(memory_bytes=BUDGET_BYTES), _require_budget) as engine:
        first = engine.ask(asks[2].prompt)
        runs = engine.ask_all(asks)
        again = engine.ask(asks[2].prompt)
        use = engine.engine.prefix_cache_use()
    assert [run.tokens for run in runs] == _cold(tiny_files, asks)
    assert again.tokens == first.tokens
    assert again.cache_miss == CacheMiss(reason=CacheMissReason.EVICTED, message_index=0, token_position=0)
    assert use.evictions > 0
    assert use.memory_bytes > BUDGET_BYTES / 2
    assert use.prompt_tokens == sum(len(ask.prompt) for ask in asks) + 2 * len(asks[2].prompt)


def test_what_is_kept_makes_room_for_rows_and_for_models(
    tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driven_engine(tiny_files) as engine:
        guard, memory = engine.engine._guard, engine.model.memory
        engine.ask(_prompt(300))
        kept_bytes = engine.engine.prefix_cache_use().memory_bytes
        scarce_bytes = memory.weights_bytes + memory.sequence_bytes(150 + MAX_TOKENS) + kept_bytes // 2
        monkeypatch.setattr(guard, "capacity_bytes", lambda: scarce_bytes)
        engine.begin(Ask(SHARED))
        engine.step()
        assert 0 < engine.engine.prefix_cache_use().memory_bytes <= kept_bytes // 2


def test_a_cache_that_is_switched_off_says_so(tiny_files: ModelFiles) -> None:
    with driven_engine(tiny_files, OFF) as engine:
        engine.ask(SHARED)
        run = engine.ask(SHARED)
        assert engine.engine.prefix_cache_use().memory_bytes == 0
    assert run.cached_tokens == 0
    assert run.cache_miss == CacheMiss(reason=CacheMissReason.DISABLED, message_index=0, token_position=0)


def test_of_a_model_whose_window_rotates_nothing_is_kept(
    tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    window: Any = RotatingKVCache
    monkeypatch.setattr(row_caches, "make_prompt_cache", lambda _: [window(max_size=32) for _ in range(2)])
    with driven_engine(tiny_files) as engine:
        engine.ask(SHARED)
        run = engine.ask(SHARED)
    assert run.cache_miss == CacheMiss(reason=CacheMissReason.NOT_SUPPORTED, message_index=0, token_position=0)


@pytest.mark.parametrize("bits", [4, 8])
def test_packed_caches_are_reused(tmp_path: Path, bits: int) -> None:
    files, options = write_tiny_model(tmp_path, hidden_size=64), LoadOptions(kv_cache_bits=bits)
    with driven_engine(files, options=options) as engine, driven_engine(files, OFF, options=options) as cold:
        engine.ask(SHARED)
        asks = [Ask(SHARED + _prompt(length, seed=length)) for length in (1, 2, 70)]
        runs = engine.ask_all(asks)
        assert [run.tokens for run in runs] == [cold.ask(ask.prompt).tokens for ask in asks]
        assert [run.cached_tokens for run in runs] == [len(SHARED)] * 3


def test_when_nothing_can_be_kept_requests_go_on_without(
    tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("layers of different shapes")

    monkeypatch.setattr(model_prefixes, "KvRow", refuse)
    with driven_engine(tiny_files) as engine:
        runs = [engine.ask(SHARED) for _ in range(2)]
    assert [run.tokens for run in runs] == _cold(tiny_files, [Ask(SHARED)]) * 2
    assert runs[1].cache_miss is not None
    assert runs[1].cache_miss.reason is CacheMissReason.NOT_SUPPORTED


def test_what_is_kept_of_a_model_goes_with_it(tiny_files: ModelFiles) -> None:
    with driven_engine(tiny_files) as engine:
        engine.ask(SHARED)
        assert engine.engine.prefix_cache_use().memory_bytes == (len(SHARED) + MAX_TOKENS) * TOKEN_BYTES
        engine.engine.unload(tiny_files.model_id)
        assert engine.engine.prefix_cache_use().memory_bytes == 0


# Through a host.

SYSTEM = system_message("You are a pirate and answer in rhymes, always, whatever is asked.")


async def _ask_chat(host: EngineHost, *messages: Message) -> Any:
    job = replace(make_job(host.new_job_id()), messages=messages)
    return await collect((await begin(host.submit(job))).stream)


async def test_a_chat_that_goes_on_reuses_its_beginning(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    first = await _ask_chat(host, SYSTEM, user_message("Ahoy!"))
    second = await _ask_chat(host, SYSTEM, user_message("Ahoy!"), assistant_message("Aye."), user_message("More!"))
    assert second.usage.cached_prompt_tokens >= first.usage.prompt_tokens
    assert host.prefix_cache_use.memory_bytes > 0
    assert host.prefix_cache_use.cached_prompt_tokens == second.usage.cached_prompt_tokens
    assert host.prefix_cache_use.prompt_tokens == first.usage.prompt_tokens + second.usage.prompt_tokens


async def test_the_message_where_a_chat_goes_another_way_is_told(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    await _ask_chat(host, SYSTEM, user_message("Where is the treasure?"), user_message("Say it!"))
    usage = (await _ask_chat(host, SYSTEM, user_message("Where is the parrot?"), user_message("Say it!"))).usage
    position = len("s:") + len(SYSTEM.text) + len("\nu:") + len("Where is the ")
    assert usage.cached_prompt_tokens == position
    assert usage.cache_miss == CacheMiss(reason=CacheMissReason.DIVERGED, message_index=1, token_position=position)


async def test_unloading_empties_the_cache(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    await run(host, "hello")
    assert host.prefix_cache_use.memory_bytes > 0
    await host.unload(TINY_MODEL)
    assert host.prefix_cache_use.memory_bytes == 0


def test_what_is_read_again_faster_is_not_reused(tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = [random.Random(5).randrange(256) for _ in range(300)]
    with driven_engine(tiny_files) as engine:
        cold = engine.ask(prompt)
        monkeypatch.setattr(model_batch, "reuse_overhead_s", lambda: 1000.0)
        again = engine.ask(prompt)
    assert again.tokens == cold.tokens
    assert again.cache_miss == CacheMiss(reason=CacheMissReason.TOO_SHORT, message_index=0, token_position=0)
