import math

import mlx.core as mx
import pytest
from mlx_lm.sample_utils import greedy_sampler

from cortex_adapters.mlx.sampling import make_logits_processors, make_sampler
from cortex_domain.generation import SamplingParameters

VOCABULARY = 8
LOGPROBS = mx.log(mx.array([[0.4, 0.3, 0.1, 0.08, 0.06, 0.04, 0.015, 0.005]]))


def _only(tokens: mx.array) -> int:
    [token] = tokens.tolist()  # type: ignore[misc]
    assert isinstance(token, int)
    return token


def _draws(sampling: SamplingParameters, count: int = 300) -> list[int]:
    sampler = make_sampler(sampling, vocabulary_size=VOCABULARY)
    return [_only(sampler(LOGPROBS)) for _ in range(count)]


def test_identical_parameters_share_one_sampler() -> None:
    first = make_sampler(SamplingParameters(temperature=0.7), vocabulary_size=VOCABULARY)
    assert make_sampler(SamplingParameters(temperature=0.7), vocabulary_size=VOCABULARY) is first
    assert make_sampler(SamplingParameters(temperature=0.8), vocabulary_size=VOCABULARY) is not first


def test_temperature_zero_takes_the_best_whatever_the_seed() -> None:
    assert make_sampler(SamplingParameters(temperature=0, seed=3), vocabulary_size=VOCABULARY) is greedy_sampler


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (SamplingParameters(temperature=1, top_p=1), set(range(8))),
        (SamplingParameters(temperature=1, top_p=0.69), {0, 1}),
        (SamplingParameters(temperature=1, top_p=1, top_k=3), {0, 1, 2}),
        (SamplingParameters(temperature=1, top_p=1, top_k=VOCABULARY + 5), set(range(8))),
        (SamplingParameters(temperature=1, top_p=1, min_p=0.2), {0, 1, 2, 3}),
        (SamplingParameters(temperature=1, top_p=1, top_k=2, seed=5), {0, 1}),
    ],
)
def test_only_tokens_that_are_probable_enough_are_drawn(sampling: SamplingParameters, possible: set[int]) -> None:
    drawn = set(_draws(sampling))
    assert drawn <= possible
    assert len(drawn) > 1


def test_a_higher_temperature_draws_the_best_token_less_often() -> None:
    cold, warm = (
        _draws(SamplingParameters(temperature=temperature, top_p=1, seed=1)).count(0) for temperature in (0.2, 2.0)
    )
    assert cold > 2 * warm


def test_a_seed_repeats_its_draws_and_another_seed_does_not() -> None:
    seeded = SamplingParameters(temperature=1, top_p=1, seed=42)
    assert _draws(seeded) == _draws(seeded)
    assert _draws(seeded) != _draws(SamplingParameters(temperature=1, top_p=1, seed=43))


def test_a_seed_is_not_disturbed_by_others_who_draw() -> None:
    seeded = SamplingParameters(temperature=1, top_p=1, seed=42)
    alone = _draws(seeded, 20)
    sampler = make_sampler(seeded, vocabulary_size=VOCABULARY)
    other = make_sampler(SamplingParameters(temperature=1, top_p=1), vocabulary_size=VOCABULARY)
    among_others = []
    for _ in range(20):
        other(LOGPROBS)
        among_others.append(_only(sampler(LOGPROBS)))
    assert among_others == alone


def _process(sampling: SamplingParameters, logits: list[float], *, prompt: list[int], answer: list[int]) -> list[float]:
    processed = mx.array([logits], dtype=mx.float32)
    for processor in make_logits_processors(sampling, prompt_tokens=len(prompt)):
        processed = processor(mx.array(prompt + answer), processed)
    return [processed[0, token].item() for token in range(len(logits))]  # type: ignore[misc]


def test_neutral_parameters_need_no_processor() -> None:
    assert make_logits_processors(SamplingParameters(), prompt_tokens=3) == []


def test_biases_are_added() -> None:
    sampling = SamplingParameters(logit_bias={1: 5.0, 2: -100.0})
    assert _process(sampling, [1, 1, 1], prompt=[0], answer=[]) == [1, 6, -99]


def test_repetition_divides_positive_and_multiplies_negative_logits_of_prompt_and_answer() -> None:
    sampling = SamplingParameters(repetition_penalty=2.0)
    assert _process(sampling, [4, -4, 4, 4], prompt=[0, 0], answer=[1]) == [2, -8, 4, 4]


def test_presence_is_subtracted_once_for_tokens_of_the_answer_only() -> None:
    sampling = SamplingParameters(presence_penalty=1.5)
    assert _process(sampling, [4, 4, 4], prompt=[0], answer=[1, 1]) == [4, 2.5, 4]
    assert _process(sampling, [4, 4, 4], prompt=[0], answer=[]) == [4, 4, 4]


def test_frequency_is_subtracted_for_each_time_in_the_answer() -> None:
    sampling = SamplingParameters(frequency_penalty=0.5)
    assert _process(sampling, [4, 4, 4], prompt=[0], answer=[1, 1, 2]) == [4, 3, 3.5]
    assert _process(sampling, [4, 4, 4], prompt=[0], answer=[]) == [4, 4, 4]


def test_draws_follow_the_probabilities() -> None:
    draws = _draws(SamplingParameters(temperature=1, top_p=1, seed=9), 2000)
    expected = 2000 * math.exp(LOGPROBS[0, 0].item())  # type: ignore[arg-type]
    assert abs(draws.count(0) - expected) < 0.15 * expected
