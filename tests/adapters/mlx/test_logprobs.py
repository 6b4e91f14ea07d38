"""Tokens are told with the model's own log-probabilities, once each, whatever the engine does meanwhile."""

import asyncio
import math
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import mlx.core as mx
import pytest

from cortex_adapters.fake import FakeClock
from cortex_adapters.mlx import batch_generation
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_adapters.mlx.step_logprobs import DrawnLogprob, logprobs_of_step, token_logprob
from cortex_adapters.mlx.text_generator import MlxTextGenerator
from cortex_domain.errors import InvalidRequestError
from cortex_domain.event_stream import GenerationRules, collect
from cortex_domain.events import GenerationEvent, GenerationFinished, TextDelta
from cortex_domain.generation import Choice, GenerationRequest, SamplingParameters
from cortex_domain.language_models import LoadOptions, ModelFiles
from cortex_domain.messages import user_message
from cortex_domain.output_constraints import ChoiceOutput
from cortex_domain.token_logprobs import LEAST_LOGPROB, TokenLogprob
from tests.adapters.mlx.tiny_model import END_OF_ANSWER, TINY_MODEL

TOKENS = 40
GREEDY = SamplingParameters(temperature=0, logit_bias={END_OF_ANSWER: -100.0})
WARM = SamplingParameters(
    temperature=1.2, top_p=0.95, seed=5, frequency_penalty=0.5, logit_bias={END_OF_ANSWER: -100.0}
)
SAMPLINGS = pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "warm"])
REQUEST = GenerationRequest(
    model=TINY_MODEL, messages=(user_message("hello"),), sampling=WARM, max_tokens=TOKENS, logprobs=5
)


@pytest.fixture
async def generator(thread_host: EngineHost, tiny_files: ModelFiles) -> MlxTextGenerator:
    await thread_host.load(tiny_files)
    return _generator(thread_host)


@pytest.fixture(scope="module")
def model(tiny_files: ModelFiles) -> LanguageModel:
    return load_language_model(tiny_files)


def _generator(host: EngineHost) -> MlxTextGenerator:
    return MlxTextGenerator(host=host, clock=FakeClock(), default_max_tokens=TOKENS)


async def _choices(generator: MlxTextGenerator, request: GenerationRequest) -> tuple[Choice, ...]:
    async with generator.generate_text(request) as events:
        return (await collect(events)).choices


async def _choice(generator: MlxTextGenerator, request: GenerationRequest) -> Choice:
    [choice] = await _choices(generator, request)
    return choice


def _prompt(model: LanguageModel) -> list[int]:
    prompt: list[int] = model.tokenizer.encode("u:hello\na:", add_special_tokens=False)
    return prompt


def _own_logprobs(model: LanguageModel, tokens: Sequence[int]) -> list[list[float]]:
    """What the model says of each place behind a text, read at once and without anything that changes draws."""
    logits = model.network(mx.array([list(tokens)]))[0].astype(mx.float32)
    rows: Any = (logits - mx.logsumexp(logits, axis=-1, keepdims=True)).tolist()
    return list(rows)


def _require_alike(told: Sequence[TokenLogprob], expected: Sequence[TokenLogprob]) -> None:
    """Compares tokens, and figures to what the order of a sum may change in them."""
    assert [(token.token_id, token.text, token.bytes) for token in told] == [
        (token.token_id, token.text, token.bytes) for token in expected
    ]
    for one, other in zip(told, expected, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
        assert [token.logprob for token in one.top] == pytest.approx([token.logprob for token in other.top], abs=1e-4)


@SAMPLINGS
async def test_they_are_the_models_own(
    generator: MlxTextGenerator, model: LanguageModel, sampling: SamplingParameters
) -> None:
    choice = await _choice(generator, replace(REQUEST, sampling=sampling))
    prompt, drawn = _prompt(model), [token.token_id for token in choice.logprobs]
    assert len(drawn) == TOKENS
    rows = _own_logprobs(model, [*prompt, *drawn])[len(prompt) - 1 : -1]
    for token, row in zip(choice.logprobs, rows, strict=True):
        assert token.logprob == pytest.approx(row[token.token_id], abs=1e-4)
        best = sorted(row, reverse=True)[:5]
        assert [alternative.logprob for alternative in token.top] == pytest.approx(best, abs=1e-4)
        for alternative in token.top:
            assert alternative.logprob == pytest.approx(row[alternative.token_id], abs=1e-4)


async def test_a_constraint_changes_none_of_them(generator: MlxTextGenerator, model: LanguageModel) -> None:
    free_to_end = SamplingParameters(temperature=0)
    output = ChoiceOutput(choices=("yes", "no"))
    choice = await _choice(generator, replace(REQUEST, sampling=free_to_end, output=output))
    assert "".join(token.text for token in choice.logprobs) == choice.text
    assert choice.text in {"yes", "no"}
    prompt, drawn = _prompt(model), [token.token_id for token in choice.logprobs]
    rows = _own_logprobs(model, [*prompt, *drawn])[len(prompt) - 1 : -1]
    for token, row in zip(choice.logprobs, rows, strict=True):
        assert token.logprob == pytest.approx(row[token.token_id], abs=1e-4)
        assert token.top[0].logprob == pytest.approx(max(row), abs=1e-4)


async def test_bytes_add_up_to_the_text_through_half_characters(generator: MlxTextGenerator) -> None:
    choice = await _choice(generator, REQUEST)
    said = bytes(byte for token in choice.logprobs for byte in token.bytes)
    assert "\ufffd" in "".join(token.text for token in choice.logprobs)
    assert said.decode(errors="replace").startswith(choice.text)
    assert choice.text == (await _choice(generator, replace(REQUEST, logprobs=None))).text


async def test_none_are_computed_for_those_who_do_not_ask(
    generator: MlxTextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int | None]] = []
    computed: list[int] = []

    def watched(logits: mx.array, drawn: mx.array, rows: Sequence[RowSampler]) -> Any:
        told, arrays = logprobs_of_step(logits, drawn, rows)
        asked.append([row.logprobs for row in rows])
        computed.append(sum(array.shape[0] for array in arrays[:1]))
        return told, arrays

    monkeypatch.setattr(batch_generation, "logprobs_of_step", watched)
    plain = replace(REQUEST, logprobs=None)
    (one,), (other,) = await asyncio.gather(_choices(generator, plain), _choices(generator, REQUEST))
    assert (one.logprobs, one.text) == ((), other.text)
    assert [sum(wanted is not None for wanted in rows) for rows in asked] == computed
    assert [None, 5] in asked or [5, None] in asked


async def test_each_row_gets_as_many_as_it_asks_for(generator: MlxTextGenerator) -> None:
    wanted = (0, 1, 20)
    answers = await asyncio.gather(*(_choice(generator, replace(REQUEST, logprobs=number)) for number in wanted))
    for number, answer in zip(wanted, answers, strict=True):
        assert {len(token.top) for token in answer.logprobs} == {number}
        _require_alike([replace(token, top=()) for token in answer.logprobs], _bare(answers[0].logprobs))


def _bare(tokens: Sequence[TokenLogprob]) -> list[TokenLogprob]:
    return [replace(token, top=()) for token in tokens]


async def test_several_answers_tell_their_own(generator: MlxTextGenerator) -> None:
    request = replace(REQUEST, n=3)
    choices = await _choices(generator, request)
    for number, choice in enumerate(choices):
        single = replace(request, n=1, sampling=request.sampling.for_choice(number))
        _require_alike(choice.logprobs, (await _choice(generator, single)).logprobs)


async def test_tokens_of_a_stop_text_are_not_told(generator: MlxTextGenerator) -> None:
    whole = await _choice(generator, REQUEST)
    stop = whole.text[8:11]
    choice = await _choice(generator, replace(REQUEST, stop=(stop,)))
    said = bytes(byte for token in choice.logprobs for byte in token.bytes)
    assert choice.text == whole.text[: whole.text.index(stop)]
    assert said.decode(errors="ignore") == choice.text.replace("\ufffd", "")


@SAMPLINGS
async def test_a_draft_changes_none_of_them(
    thread_host: EngineHost, tiny_files: ModelFiles, generator: MlxTextGenerator, sampling: SamplingParameters
) -> None:
    request = replace(REQUEST, sampling=replace(sampling, logit_bias={}, frequency_penalty=0.0))
    expected = await _choice(generator, request)
    await thread_host.unload(TINY_MODEL)
    await thread_host.load(tiny_files, LoadOptions(draft_model=tiny_files))
    drafted = await _choice(generator, request)
    assert drafted.text == expected.text
    _require_alike(drafted.logprobs, expected.logprobs)


@pytest.mark.parametrize("stop", [(), ("\x00never said", "\ufffd\ufffd\ufffd\ufffd\ufffd")], ids=["plain", "holding"])
async def test_a_suspended_answer_tells_each_token_once(generator: MlxTextGenerator, stop: tuple[str, ...]) -> None:
    request = replace(REQUEST, stop=stop)
    whole = await _choice(generator, request)
    told: list[GenerationEvent] = []
    stream = generator.generate_text(request)
    while not told or not isinstance(told[-1], GenerationFinished):
        async with stream as events:
            told += [event async for _, event in _some(events)]
            if not isinstance(told[-1], GenerationFinished):
                generator.suspend(request.generation_id, for_s=60)
                stream = generator.resume(request.generation_id)
    _require_alike([t for event in told if isinstance(event, TextDelta) for t in event.logprobs], whole.logprobs)


async def _some(events: Any) -> Any:
    for number in range(4):
        event = await anext(events, None)
        if event is None:
            return
        yield number, event


async def test_answers_go_on_telling_after_the_worker_died(tiny_files: ModelFiles) -> None:
    link = ProcessLink()
    host = EngineHost(link)
    await host.start()
    try:
        await host.load(tiny_files)
        generator = _generator(host)
        whole = await _choice(generator, REQUEST)
        async with generator.generate_text(REQUEST) as events:
            told = [await anext(events) for _ in range(6)]
            assert link.pid is not None
            os.kill(link.pid, signal.SIGKILL)
            told += [event async for event in events]
    finally:
        await host.stop()
    _require_alike([t for event in told if isinstance(event, TextDelta) for t in event.logprobs], whole.logprobs)


# A step's.


def test_what_json_cannot_write_is_the_least() -> None:
    class Named:
        def __getitem__(self, token: int) -> bytes:
            return b"\xc3"

    for value, told in ((-math.inf, LEAST_LOGPROB), (math.nan, LEAST_LOGPROB), (1e-7, 0.0), (-2.5, -2.5)):
        drawn = DrawnLogprob(logprob=value, top=((3, value),))
        token: Any = token_logprob(Named(), 7, drawn)  # type: ignore[arg-type]
        assert (token.logprob, token.top[0].logprob) == (told, told)
        assert (token.text, token.bytes) == ("\ufffd", (0xC3,))


def test_a_vocabulary_may_be_smaller_than_what_is_asked_for() -> None:
    logits = mx.array([[1.0, 3.0, 2.0]])
    rows = [RowSampler(SamplingParameters(), logprobs=20)]
    [told], _ = logprobs_of_step(logits, mx.array([0], dtype=mx.uint32), rows)
    assert told is not None
    assert [token for token, _ in told.read().top] == [1, 2, 0]


# Raw prompts.


async def test_a_prompt_is_read_as_it_stands(generator: MlxTextGenerator, model: LanguageModel) -> None:
    tokens = tuple(_prompt(model))
    chat = await _choice(generator, REQUEST)
    for prompt in ("u:hello\na:", tokens):
        raw = await _choice(generator, replace(REQUEST, messages=(), prompt=prompt))
        _require_alike(raw.logprobs, chat.logprobs)


async def test_control_tokens_of_a_prompt_are_control_tokens(generator: MlxTextGenerator) -> None:
    request = replace(REQUEST, messages=(), prompt="a<|end|>b")
    async with generator.generate_text(request) as events:
        assert (await collect(events)).usage.prompt_tokens == 3


async def test_tokens_that_the_vocabulary_lacks_are_refused(generator: MlxTextGenerator) -> None:
    request = replace(REQUEST, messages=(), prompt=(5, END_OF_ANSWER + 1))
    with pytest.raises(InvalidRequestError, match="prompt names the token 257") as caught:
        await _choice(generator, request)
    assert caught.value.parameter == "prompt"


# Prompts that are given back.


ECHOED = GenerationRequest(
    model=TINY_MODEL, prompt="Once upon a time. " * 5, sampling=WARM, max_tokens=6, logprobs=2, echo=True
)


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "warm"])
async def test_an_echoed_prompt_has_the_models_own_figures(
    generator: MlxTextGenerator, model: LanguageModel, sampling: SamplingParameters
) -> None:
    await _choice(generator, replace(ECHOED, echo=False))  # now all of it is kept, and still read once more
    choice = await _choice(generator, replace(ECHOED, sampling=sampling))
    assert isinstance(ECHOED.prompt, str)
    prompt = model.tokenizer.encode(ECHOED.prompt, add_special_tokens=False)
    tokens = [token.token_id for token in choice.logprobs]
    assert (tokens[: len(prompt)], len(tokens)) == (prompt, len(prompt) + 6)
    rows = _own_logprobs(model, tokens)
    assert (choice.logprobs[0].logprob, choice.logprobs[0].top) == (0.0, ())
    for token, row in zip(choice.logprobs[1:], rows, strict=False):
        assert token.logprob == pytest.approx(row[token.token_id], abs=1e-4)
        best = sorted(row, reverse=True)[:2]
        assert [alternative.logprob for alternative in token.top] == pytest.approx(best, abs=1e-4)
    plain = await _choice(generator, replace(ECHOED, sampling=sampling, echo=False))
    assert choice.text == ECHOED.prompt + plain.text


@pytest.mark.parametrize("prompt", ["x", (7,), "Once upon", tuple(range(60, 200))])
async def test_prompts_of_any_form_are_given_back(
    generator: MlxTextGenerator, model: LanguageModel, prompt: str | tuple[int, ...]
) -> None:
    request = replace(ECHOED, prompt=prompt, n=2)
    first, second = await _choices(generator, request)
    said = b"".join(model.token_bytes[token] for token in prompt) if isinstance(prompt, tuple) else prompt.encode()
    for choice in (first, second):
        assert choice.text.startswith(said.decode(errors="replace"))
        assert len(choice.logprobs) == len(said) + 6
    _require_alike(first.logprobs[: len(said)], second.logprobs[: len(said)])
    untold = await _choices(generator, replace(request, logprobs=None))
    assert [choice.text for choice in untold] == [first.text, second.text]
    assert all(choice.logprobs == () for choice in untold)


async def test_prompts_beside_others_are_told_as_alone(generator: MlxTextGenerator) -> None:
    requests = [replace(ECHOED, prompt="Say. " * times) for times in (3, 20, 7)]
    alone = [await _choice(generator, request) for request in requests]
    beside = await asyncio.gather(*(_choice(generator, request) for request in requests), _choice(generator, REQUEST))
    for one, other in zip(alone, beside, strict=False):
        _require_alike(one.logprobs, other.logprobs)


@pytest.mark.parametrize("events_before", [1, 2, 3, 4])
async def test_a_prompt_is_given_back_once_whatever_happens(generator: MlxTextGenerator, events_before: int) -> None:
    whole = await _choice(generator, ECHOED)
    async with generator.generate_text(ECHOED) as events:
        told = [await anext(events) for _ in range(events_before)]
        generator.suspend(ECHOED.generation_id, for_s=60)
    async with generator.resume(ECHOED.generation_id) as events:
        told += [event async for event in events]
    rules = GenerationRules()
    for event in told:
        rules.accept(event)
    [choice] = rules.choices
    assert choice.text == whole.text
    _require_alike(choice.logprobs, whole.logprobs)
