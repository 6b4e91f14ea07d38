"""What the lean generator leaves out, nobody misses: its answers are mlx-lm's own."""

import random
from typing import Any

import mlx.core as mx
import pytest
from mlx_lm.generate import BatchGenerator
from mlx_lm.models.cache import make_prompt_cache

from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.logits_processors import make_logits_processors
from cortex_adapters.mlx.model_batch import ModelBatch
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_adapters.mlx.prefix_cache import PrefixCache
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits
from cortex_domain.generation import SamplingParameters
from cortex_domain.language_models import ModelFiles

MAX_TOKENS = 24
GREEDY = SamplingParameters(temperature=0)


def _prompts() -> list[list[int]]:
    numbers = random.Random(7)
    return [[numbers.randrange(256) for _ in range(length)] for length in (3, 40, 1, 17, 90, 8)]


def _read_all(generator: BatchGenerator, uids: list[int]) -> list[list[int]]:
    tokens: dict[int, list[int]] = {uid: [] for uid in uids}
    unfinished = len(uids)
    while unfinished:
        _, responses = generator.next()  # type: ignore[no-untyped-call]
        for response in responses:
            tokens[response.uid].append(response.token)
            unfinished -= response.finish_reason is not None
    generator.close()  # type: ignore[no-untyped-call]
    return [tokens[uid] for uid in uids]


def _mlx_lm_answers(model: LanguageModel, prompts: list[list[int]], sampling: SamplingParameters) -> list[list[int]]:
    generator = BatchGenerator(model.network, stop_tokens=[[token] for token in model.tokenizer.eos_token_ids])
    processors = [make_logits_processors(sampling, prompt_tokens=len(prompt)) for prompt in prompts]
    uids = generator.insert(prompts, max_tokens=[MAX_TOKENS] * len(prompts), logits_processors=processors)
    return _read_all(generator, uids)


def _lean_answers(
    model: LanguageModel, prompts: list[list[int]], sampling: SamplingParameters, *, rows: int, tokens: int
) -> list[list[int]]:
    generator: Any = LeanBatchGenerator(model, rows=64)
    generator.read_at_most(rows=rows, tokens=tokens)
    uids = [
        generator.insert_row(
            prompt,
            max_tokens=MAX_TOKENS,
            sampler=RowSampler(sampling),
            logits_processors=make_logits_processors(sampling, prompt_tokens=len(prompt)),
        )
        for prompt in prompts
    ]
    return _read_all(generator, uids)


def test_greedy_answers_are_those_of_mlx_lm_however_prompts_are_cut(tiny_files: ModelFiles) -> None:
    model = load_language_model(tiny_files)
    expected = _mlx_lm_answers(model, _prompts(), GREEDY)
    for rows, tokens in ((64, 512), (2, 16), (4, 8)):
        assert _lean_answers(model, _prompts(), GREEDY, rows=rows, tokens=tokens) == expected


def test_penalties_and_biases_have_their_effect(tiny_files: ModelFiles) -> None:
    model = load_language_model(tiny_files)
    sampling = SamplingParameters(temperature=0, repetition_penalty=1.5, frequency_penalty=1, logit_bias={5: 2})
    expected = _mlx_lm_answers(model, _prompts(), sampling)
    assert _lean_answers(model, _prompts(), sampling, rows=64, tokens=512) == expected
    assert expected != _mlx_lm_answers(model, _prompts(), GREEDY)


def test_sequences_that_join_take_no_step_of_their_own(tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_language_model(tiny_files)
    lengths = _lengths_of_forwards(model, monkeypatch)
    generator: Any = LeanBatchGenerator(model, rows=64)
    for prompt in _prompts():
        generator.insert_row(prompt * 3, max_tokens=4, sampler=RowSampler(GREEDY), logits_processors=[])
        for _ in range(3):
            lengths.clear()
            generator.next()
            assert lengths.count(1) <= 1
    generator.close()


def test_a_row_is_extracted_as_it_was_computed_alone(tiny_files: ModelFiles) -> None:
    model = load_language_model(tiny_files)
    generator: Any = LeanBatchGenerator(model, rows=64)
    uids = [
        generator.insert_row(prompt, max_tokens=9, sampler=RowSampler(GREEDY), logits_processors=[])
        for prompt in _prompts()
    ]
    for _ in range(4):
        generator.next()
    for caches, tokens in generator.extract_cache(uids).values():
        alone = make_prompt_cache(model.network)
        model.network(mx.array([tokens]), cache=alone)
        for cache, expected in zip(caches, alone, strict=True):
            assert cache.offset == expected.offset == len(tokens)
            assert mx.allclose(cache.keys, expected.keys[..., : expected.offset, :], atol=1e-4)
            assert mx.allclose(cache.values, expected.values[..., : expected.offset, :], atol=1e-4)
    generator.close()


def _lengths_of_forwards(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes how many tokens of each row every forward pass reads."""
    lengths: list[int] = []
    forward = type(model.network).__call__

    def noting(network: object, tokens: mx.array, **options: object) -> mx.array:
        lengths.append(tokens.shape[1])
        result: mx.array = forward(network, tokens, **options)
        return result

    monkeypatch.setattr(type(model.network), "__call__", noting)
    return lengths


def test_warming_up_leaves_nothing_behind(tiny_files: ModelFiles) -> None:
    batch = ModelBatch(load_language_model(tiny_files), PrefixCache(PrefixCacheLimits()))
    batch.warm_up()
    assert not batch.has_work
    assert batch.step() == []
