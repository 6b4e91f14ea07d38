import mlx.core as mx

from cortex_adapters.mlx.logits_processors import make_logits_processors
from cortex_domain.generation import SamplingParameters


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
