import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import (
    MAX_OWNER_CHARACTERS,
    MAX_SEED,
    MAX_STOP_TEXTS,
    GenerationRequest,
    ReasoningEffort,
    SamplingParameters,
    TokenUsage,
    new_generation_id,
)
from cortex_domain.language_models import Capability, ModelId
from cortex_domain.messages import AudioPart, ImagePart, Message, Role, TextPart, user_message

BOUNDS: dict[str, tuple[float, float, bool]] = {
    # parameter: low, high, whether low itself is allowed
    "temperature": (0, 2, True),
    "top_p": (0, 1, False),
    "top_k": (1, math.inf, True),
    "min_p": (0, 1, True),
    "seed": (0, MAX_SEED, True),
    "repetition_penalty": (0, 2, False),
    "presence_penalty": (-2, 2, True),
    "frequency_penalty": (-2, 2, True),
}
INTEGERS = {"top_k", "seed"}

REQUEST = GenerationRequest(model=ModelId("a/b"), messages=(user_message("hello"),))


def numbers_for(parameter: str) -> st.SearchStrategy[float]:
    return st.integers() if parameter in INTEGERS else st.floats() | st.floats(-3, 3)


@given(st.data(), st.sampled_from(sorted(BOUNDS)))
def test_parameter_is_taken_exactly_within_its_bounds(data: st.DataObject, parameter: str) -> None:
    value = data.draw(numbers_for(parameter))
    low, high, includes_low = BOUNDS[parameter]
    values: dict[str, Any] = {parameter: value}
    if low < value <= high or (value == low and includes_low):
        assert getattr(SamplingParameters(**values), parameter) == value
    else:
        with pytest.raises(InvalidRequestError) as caught:
            SamplingParameters(**values)
        assert caught.value.parameter == parameter
        assert repr(value) in caught.value.message


@pytest.mark.parametrize("parameter", sorted(BOUNDS))
def test_parameter_is_taken_at_its_bounds(parameter: str) -> None:
    low, high, includes_low = BOUNDS[parameter]
    just_inside = low if includes_low else math.nextafter(low, math.inf)
    for value in {just_inside, high} - {math.inf}:
        values: dict[str, Any] = {parameter: value}
        assert getattr(SamplingParameters(**values), parameter) == value


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"temperature": 3}, "temperature must be at least 0 and at most 2, not 3."),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0.0."),
        ({"top_k": 0}, "top_k must be at least 1, not 0."),
        ({"seed": -1}, "seed must be at least 0 and at most 9223372036854775807, not -1."),
    ],
)
def test_refusal_states_the_rule(values: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        SamplingParameters(**values)
    assert caught.value.message == rule


@given(st.dictionaries(st.integers(), st.floats(), max_size=4))
def test_biases_are_bounded(biases: dict[int, float]) -> None:
    if all(token_id >= 0 and -100 <= bias <= 100 for token_id, bias in biases.items()):
        assert SamplingParameters(logit_bias=biases).logit_bias == biases
    else:
        with pytest.raises(InvalidRequestError) as caught:
            SamplingParameters(logit_bias=biases)
        assert caught.value.parameter == "logit_bias"


def test_sampling_parameters_are_values() -> None:
    biases = {1: 2.0}
    sampling = SamplingParameters(logit_bias=biases)
    biases[1] = 3.0
    assert sampling.logit_bias == {1: 2.0}
    assert hash(sampling) == hash(replace(sampling))
    assert replace(sampling, logit_bias={}) != sampling


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ({}, set()),
        ({"temperature": 0, "top_p": 0.5}, set()),
        ({"top_k": 40}, {Capability.TOP_K}),
        ({"min_p": 0.1}, {Capability.MIN_P}),
        ({"seed": 0}, {Capability.SEED}),
        ({"repetition_penalty": 1.1}, {Capability.REPETITION_PENALTY}),
        ({"presence_penalty": 0.1}, {Capability.PRESENCE_PENALTY}),
        ({"frequency_penalty": 0.1}, {Capability.FREQUENCY_PENALTY}),
        ({"logit_bias": {1: 1.0}}, {Capability.LOGIT_BIAS}),
    ],
)
def test_sampling_needs_what_it_uses(values: dict[str, Any], needed: set[Capability]) -> None:
    assert SamplingParameters(**values).needs == {capability: capability.value for capability in needed}


def test_request_needs_what_its_parts_are() -> None:
    parts = (
        TextPart(text="x"),
        ImagePart(data=b"x", media_type="image/png"),
        AudioPart(data=b"x", media_type="audio/wav"),
    )
    request = replace(
        REQUEST,
        messages=(Message(role=Role.USER, parts=parts),),
        sampling=SamplingParameters(seed=1),
    )
    assert REQUEST.needs == {}
    assert request.needs == {
        Capability.SEED: "seed",
        Capability.IMAGE_INPUT: "messages",
        Capability.AUDIO_INPUT: "messages",
    }


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"messages": ()}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ("",)}, "stop"),
        ({"stop": ("x",) * (MAX_STOP_TEXTS + 1)}, "stop"),
        ({"owner": "x" * (MAX_OWNER_CHARACTERS + 1)}, "owner"),
    ],
)
def test_request_refuses_what_breaks_its_rules(values: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        replace(REQUEST, **values)
    assert caught.value.parameter == parameter


def test_requests_are_equal_when_they_ask_the_same() -> None:
    assert GenerationRequest(model=REQUEST.model, messages=REQUEST.messages) == REQUEST
    assert new_generation_id() != new_generation_id()


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_usage_totals(prompt_tokens: int, completion_tokens: int) -> None:
    usage = TokenUsage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    assert usage.total_tokens == prompt_tokens + completion_tokens


def test_several_answers_are_a_capability() -> None:
    assert replace(REQUEST, n=2).needs == {Capability.CHOICES: "n"}
    for n in (0, 17):
        with pytest.raises(InvalidRequestError) as caught:
            replace(REQUEST, n=n)
        assert caught.value.parameter == "n"


def test_only_to_think_asks_something_of_a_model() -> None:
    needed = {effort: dict(replace(REQUEST, reasoning_effort=effort).needs) for effort in ReasoningEffort}
    thinking = {Capability.REASONING_EFFORT: "reasoning_effort"}
    assert needed == {effort: {} if effort is ReasoningEffort.NONE else thinking for effort in ReasoningEffort}


def test_each_answer_has_a_seed_of_its_own() -> None:
    seeded = SamplingParameters(seed=MAX_SEED - 1, top_k=3)
    assert [seeded.for_choice(choice).seed for choice in range(3)] == [MAX_SEED - 1, MAX_SEED, 0]
    assert seeded.for_choice(2) == replace(seeded, seed=0)
    assert SamplingParameters().for_choice(2) == SamplingParameters()


@pytest.mark.parametrize("prompt", ["Once upon", (0, 5)])
def test_a_prompt_stands_in_place_of_messages(prompt: str | tuple[int, ...]) -> None:
    request = GenerationRequest(model=ModelId("a/b"), prompt=prompt)
    assert request.needs == {Capability.RAW_PROMPT: "prompt"}
    with pytest.raises(InvalidRequestError) as caught:
        replace(REQUEST, prompt=prompt)
    assert caught.value.parameter == "prompt"


@pytest.mark.parametrize("prompt", ["", (), (3, -1), "half \ud83d"])
def test_a_prompt_has_tokens_or_whole_characters(prompt: str | tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        GenerationRequest(model=ModelId("a/b"), prompt=prompt)
    assert caught.value.parameter == "prompt"


def test_only_a_prompt_can_be_given_back() -> None:
    needs = GenerationRequest(model=ModelId("a/b"), prompt="x", echo=True).needs
    assert needs == {Capability.RAW_PROMPT: "prompt", Capability.ECHO: "echo"}
    with pytest.raises(InvalidRequestError) as caught:
        replace(REQUEST, echo=True)
    assert caught.value.parameter == "echo"


def test_a_prompt_is_not_thought_about() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        GenerationRequest(model=ModelId("a/b"), prompt="x", reasoning_effort=ReasoningEffort.LOW)
    assert caught.value.parameter == "prompt"


@pytest.mark.parametrize("logprobs", [0, 20])
def test_logprobs_need_a_capability(logprobs: int) -> None:
    assert replace(REQUEST, logprobs=logprobs).needs == {Capability.LOGPROBS: "logprobs"}


@pytest.mark.parametrize("logprobs", [-1, 21])
def test_logprobs_are_bounded(logprobs: int) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        replace(REQUEST, logprobs=logprobs)
    assert caught.value.parameter == "logprobs"
