"""Sequences of very different lengths are computed apart, and nobody sees it."""

import random
from dataclasses import replace

import pytest

from cortex_adapters.mlx.batch_generation import LeanBatchGenerator, LeanGenerationBatch
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.length_groups import MAX_GROUPS, LengthGroups
from cortex_adapters.mlx.model_batch import ModelBatch
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_adapters.mlx.prefix_cache import PrefixCache
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits
from cortex_domain.generation import SamplingParameters
from cortex_domain.language_models import ModelFiles

GREEDY = SamplingParameters(temperature=0)


@pytest.fixture
def model(tiny_files: ModelFiles) -> LanguageModel:
    return load_language_model(tiny_files)


def _groups(model: LanguageModel, *, max_padding_tokens: int | None) -> LengthGroups:
    return LengthGroups(
        lambda first_uid: LeanBatchGenerator(model, rows=64, first_uid=first_uid), max_padding_tokens=max_padding_tokens
    )


def _prompt(length: int) -> list[int]:
    numbers = random.Random(length)
    return [numbers.randrange(256) for _ in range(length)]


def _insert(groups: LengthGroups, length: int, copies: int = 0) -> int:
    samplers = [RowSampler(GREEDY) for _ in range(copies)]
    return groups.insert_row(
        _prompt(length), max_tokens=12, sampler=RowSampler(GREEDY), logits_processors=[], copies=samplers
    )


def _read_all(groups: LengthGroups) -> dict[int, list[int]]:
    tokens: dict[int, list[int]] = {}
    while groups.decoding_rows or groups.prompt_rows:
        for response in groups.next(piece_tokens=50).token_responses:
            tokens.setdefault(response.uid, []).append(response.token)
    return tokens


def _widths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lists how many rows each decode step has."""
    widths: list[int] = []
    step = LeanGenerationBatch._step

    def look(batch: LeanGenerationBatch) -> object:
        widths.append(len(batch.uids))
        return step(batch)

    monkeypatch.setattr(LeanGenerationBatch, "_step", look)
    return widths


def test_answers_are_the_same_in_one_group_and_in_several(model: LanguageModel) -> None:
    answers = []
    for max_padding_tokens in (None, 0, 100):
        groups = _groups(model, max_padding_tokens=max_padding_tokens)
        uids = [_insert(groups, length) for length in (300, 5, 6, 40, 290)]
        tokens = _read_all(groups)
        answers.append([tokens[uid] for uid in uids])
    assert answers[0] == answers[1] == answers[2]


def test_a_sequence_goes_where_padding_is_cheaper_than_another_pass(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = _widths(monkeypatch)
    groups = _groups(model, max_padding_tokens=250)
    for length in (10, 20, 15, 300, 290):
        _insert(groups, length)
    _read_all(groups)
    assert max(widths) == 3  # the short ones; the long ones are two


def test_there_is_a_bound_to_the_groups(model: LanguageModel) -> None:
    groups = _groups(model, max_padding_tokens=0)
    uids = [_insert(groups, 10 * number) for number in range(1, MAX_GROUPS + 4)]
    assert sorted(_read_all(groups)) == sorted(uids)
    assert len(groups._groups) == MAX_GROUPS


def test_a_group_that_has_emptied_is_used_again(model: LanguageModel) -> None:
    groups = _groups(model, max_padding_tokens=0)
    first = [_insert(groups, length) for length in (10, 200)]
    _read_all(groups)
    groups.remove(first)
    second = [_insert(groups, length) for length in (20, 150)]
    assert len(groups._groups) == 2
    assert sorted(_read_all(groups)) == sorted(second)


def test_rows_are_found_in_their_group(model: LanguageModel) -> None:
    groups = _groups(model, max_padding_tokens=0)
    short, long = _insert(groups, 10), _insert(groups, 200, copies=2)
    while groups.prompt_rows:
        groups.next(piece_tokens=64)
    for uid, length in ((short, 10), (long, 200)):
        extracted = groups.extract_cache(uid)
        assert extracted is not None
        assert extracted[1][:9] == _prompt(length)[:9]
    groups.remove([long])
    assert groups.extract_cache(long) is None
    assert set(_read_all(groups)) >= {long + 1, long + 2}


def test_a_model_whose_sequences_are_of_unknown_size_has_one_group(model: LanguageModel) -> None:

    unknown = replace(model, memory=replace(model.memory, kv_cache=None))
    limits = [
        ModelBatch(each, PrefixCache(PrefixCacheLimits()))._generator._max_padding_tokens for each in (unknown, model)
    ]
    assert limits[0] is None
    assert limits[1] is not None
    assert limits[1] > 0
