import math
from collections.abc import Sequence

import mlx.core as mx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.mlx.batch_sampling import RowSampler, draw
from cortex_domain.generation import SamplingParameters

PROBABILITIES = [0.4, 0.3, 0.1, 0.08, 0.06, 0.04, 0.015, 0.005]
LOGITS = mx.log(mx.array([PROBABILITIES])) + 3.0
GREEDY = SamplingParameters(temperature=0)


def _warm(**changes: float | int | None) -> SamplingParameters:
    return SamplingParameters(**({"temperature": 1.0, "top_p": 1.0, "seed": 1} | changes))  # type: ignore[arg-type]


def _draw(logits: mx.array, rows: Sequence[RowSampler]) -> list[int]:
    tokens = draw(logits, rows).tolist()
    assert isinstance(tokens, list)
    return [int(token) for token in tokens]  # type: ignore[arg-type]


def _draws(sampling: SamplingParameters, count: int = 300) -> list[int]:
    row = RowSampler(sampling)
    return [_draw(LOGITS, [row])[0] for _ in range(count)]


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (GREEDY, {0}),
        (_warm(), set(range(8))),
        (_warm(top_p=0.69), {0, 1}),
        (_warm(top_p=0.71), {0, 1, 2}),
        (_warm(top_k=3), {0, 1, 2}),
        (_warm(top_k=1), {0}),
        (_warm(top_k=100), set(range(8))),
        (_warm(min_p=0.2), {0, 1, 2, 3}),
        (_warm(min_p=1.0), {0}),
        (_warm(top_p=0.9, top_k=4, min_p=0.24), {0, 1, 2}),
        (_warm(temperature=2.0, top_p=0.01), {0}),
        (_warm(temperature=2.0, top_p=5e-324), {0}),
        (_warm(temperature=5e-324), {0}),
        (_warm(temperature=1e-38), {0}),
        (_warm(temperature=2e-4), {0}),
    ],
)
def test_only_tokens_that_are_probable_enough_are_drawn(sampling: SamplingParameters, possible: set[int]) -> None:
    assert set(_draws(sampling, 1000)) == possible


def test_draws_follow_the_probabilities() -> None:
    draws = _draws(_warm(seed=9), 4000)
    for token, probability in enumerate(PROBABILITIES[:4]):
        tolerance = 5 * math.sqrt(4000 * probability)
        assert abs(draws.count(token) - 4000 * probability) < tolerance


def test_a_higher_temperature_draws_the_best_token_less_often() -> None:
    assert _draws(_warm(temperature=0.2)).count(0) > 1.5 * _draws(_warm(temperature=2.0)).count(0)


def test_a_seed_repeats_its_draws_and_another_seed_does_not() -> None:
    assert _draws(_warm(seed=42)) == _draws(_warm(seed=42))
    assert _draws(_warm(seed=42)) != _draws(_warm(seed=43))


def test_draws_go_on_from_a_position_as_if_they_had_come_there() -> None:
    whole, rest = _draws(_warm(), 20), RowSampler(_warm(), position=12)
    assert [_draw(LOGITS, [rest])[0] for _ in range(8)] == whole[12:]


ANY_SAMPLING = st.one_of(
    st.just(GREEDY),
    st.builds(
        SamplingParameters,
        temperature=st.floats(0.1, 2),
        top_p=st.floats(0.05, 1),
        top_k=st.none() | st.integers(1, 12),
        min_p=st.floats(0, 1),
        seed=st.integers(0, 2**63 - 1),
    ),
)


@given(samplings=st.lists(ANY_SAMPLING, min_size=2, max_size=6), noise=st.integers(0, 1000))
def test_a_row_draws_the_same_alone_and_in_any_batch(samplings: list[SamplingParameters], noise: int) -> None:
    logits = 3 * mx.random.normal((len(samplings), 16), key=mx.random.key(noise))
    together = _draw(logits, [RowSampler(sampling, position=noise) for sampling in samplings])
    alone = [
        _draw(logits[index : index + 1], [RowSampler(sampling, position=noise)])[0]
        for index, sampling in enumerate(samplings)
    ]
    assert together == alone
