"""A draft model changes how many steps an answer takes, and nothing else."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from cortex_adapters.mlx import speculation
from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.grammars import Grammar, grammar_of
from cortex_adapters.mlx.logits_processors import make_logits_processors
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_adapters.mlx.prompt_rendering import render_prompt
from cortex_adapters.mlx.speculation import GUESSES
from cortex_adapters.mlx.speculative_generation import SpeculativeBatchGenerator
from cortex_adapters.mlx.token_constraint import TokenConstraint
from cortex_domain.errors import InvalidModelError, LoadOptionRefusedError
from cortex_domain.generation import FinishReason, GenerationResult, SamplingParameters
from cortex_domain.language_models import LoadOptions, ModelFiles, ModelId
from cortex_domain.messages import user_message
from cortex_domain.output_constraints import ChoiceOutput, JsonSchemaOutput, RegexOutput
from tests.adapters.mlx.engine_jobs import begin, finish, run, submit
from tests.adapters.mlx.tiny_model import TINY_MODEL, write_tiny_model

GREEDY = SamplingParameters(temperature=0)
WARM = SamplingParameters(temperature=1.2, top_p=0.9, seed=5)
SAMPLINGS = pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "warm"])
Answer = list[tuple[int, str | None]]


@pytest.fixture(scope="module")
def other_files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """A draft model that is often wrong: the tiny model with noise in its weights."""
    directory = tmp_path_factory.mktemp("noisy")
    files = write_tiny_model(directory)
    path = str(directory / "model.safetensors")
    weights: Any = mx.load(path)
    noisy = {
        name: weight + 0.02 * mx.random.normal(weight.shape, key=mx.random.key(number))
        for number, (name, weight) in enumerate(sorted(weights.items()))
    }
    mx.eval(noisy)
    mx.save_safetensors(path, noisy, metadata={"format": "mlx"})
    return replace(files, model_id=ModelId("tests/draft"))


@pytest.fixture(scope="module")
def plain(tiny_files: ModelFiles) -> Iterator[LanguageModel]:
    model = load_language_model(tiny_files)
    yield model
    model.grammars.close()


@pytest.fixture(scope="module")
def drafted(tiny_files: ModelFiles, other_files: ModelFiles) -> Iterator[LanguageModel]:
    model = load_language_model(tiny_files, LoadOptions(draft_model=other_files))
    yield model
    model.grammars.close()


class Run:
    """One generator, and what its sequences say."""

    def __init__(self, model: LanguageModel) -> None:
        self.generator = (
            LeanBatchGenerator(model, rows=8)
            if model.draft is None
            else SpeculativeBatchGenerator(model, model.draft, rows=8)
        )
        self.generator.read_at_most(rows=8, tokens=2048)
        self.answers: dict[int, Answer] = {}

    @property
    def speculation(self) -> speculation.Speculation:
        assert isinstance(self.generator, SpeculativeBatchGenerator)
        return self.generator.speculation

    def add(
        self,
        prompt: list[int],
        sampling: SamplingParameters = GREEDY,
        max_tokens: int = 40,
        constraint: TokenConstraint | None = None,
    ) -> int:
        processors = make_logits_processors(sampling, prompt_tokens=len(prompt))
        uid = self.generator.insert_row(
            prompt,
            max_tokens=max_tokens,
            sampler=RowSampler(sampling, constraint=constraint),
            logits_processors=processors,
        )
        self.answers[uid] = []
        return uid

    def step(self) -> None:
        for response in self.generator.next()[1]:  # type: ignore[no-untyped-call]
            self.answers[response.uid].append((response.token, response.finish_reason))

    def finish(self) -> list[Answer]:
        while self.generator.decoding_rows or self.generator.prompt_rows:
            self.step()
        self.generator.close()  # type: ignore[no-untyped-call]
        return list(self.answers.values())


def _answer(
    model: LanguageModel,
    prompt: list[int],
    sampling: SamplingParameters,
    max_tokens: int = 40,
    grammar: Grammar | None = None,
) -> Answer:
    run = Run(model)
    constraint = None if grammar is None else model.grammars.compile(grammar).begin(prompt, ())
    run.add(prompt, sampling, max_tokens, constraint)
    return run.finish()[0]


def _prompt(length: int) -> list[int]:
    numbers = random.Random(length)
    return [numbers.randrange(256) for _ in range(length)]


@SAMPLINGS
@pytest.mark.parametrize("length", [1, 3, 40, 300])
def test_a_draft_model_changes_no_token(
    plain: LanguageModel, drafted: LanguageModel, sampling: SamplingParameters, length: int
) -> None:
    run = Run(drafted)
    run.add(_prompt(length), sampling)
    assert run.finish() == [_answer(plain, _prompt(length), sampling)]
    assert 0 < run.speculation.accepted < run.speculation.guessed


@SAMPLINGS
def test_a_model_that_drafts_for_itself_is_right(tiny_files: ModelFiles, sampling: SamplingParameters) -> None:
    run = Run(load_language_model(tiny_files, LoadOptions(draft_model=tiny_files)))
    run.add(_prompt(40), sampling, max_tokens=101)
    steps = 0
    while run.generator.decoding_rows or run.generator.prompt_rows:
        run.step()
        steps += 1
    assert run.speculation.accepted == run.speculation.guessed == 100 - 100 // (GUESSES + 1)
    assert steps < 30


@SAMPLINGS
@pytest.mark.parametrize("max_tokens", range(1, 12))
def test_an_answer_is_as_long_as_it_may_be(
    plain: LanguageModel, drafted: LanguageModel, sampling: SamplingParameters, max_tokens: int
) -> None:
    answer = _answer(drafted, _prompt(7), sampling, max_tokens)
    assert answer == _answer(plain, _prompt(7), sampling, max_tokens)
    assert len(answer) == max_tokens
    assert answer[-1][1] == "length"


def test_an_end_token_among_the_guesses_ends_the_answer(tiny_files: ModelFiles) -> None:
    """Makes a tenth of all tokens end tokens, so that answers end at every place within a step."""
    plain, own = (load_language_model(tiny_files, LoadOptions(draft_model=files)) for files in (None, tiny_files))
    plain.tokenizer.eos_token_ids = own.tokenizer.eos_token_ids = set(range(24))
    lengths = set()
    for seed in range(12):
        sampling = SamplingParameters(temperature=2, top_p=1, seed=seed)
        answer = _answer(own, _prompt(5), sampling, max_tokens=60)
        assert answer == _answer(plain, _prompt(5), sampling, max_tokens=60)
        if answer[-1][1] == "stop":
            lengths.add(len(answer) % (GUESSES + 1))
    assert len(lengths) >= GUESSES


@SAMPLINGS
def test_rows_join_and_leave_at_any_point(
    plain: LanguageModel, drafted: LanguageModel, sampling: SamplingParameters
) -> None:
    others = [(_prompt(length), max_tokens) for length, max_tokens in ((9, 5), (60, 12), (2, 30))]
    run = Run(drafted)
    run.add(_prompt(20), sampling, max_tokens=120)
    for prompt, max_tokens in others:
        for _ in range(9):
            run.step()
        run.add(prompt, sampling, max_tokens)
    expected = [_answer(plain, _prompt(20), sampling, max_tokens=120)]
    expected += [_answer(plain, prompt, sampling, max_tokens) for prompt, max_tokens in others]
    assert run.finish() == expected
    assert run.speculation.accepted


def test_a_row_whose_logits_are_processed_is_left_alone(plain: LanguageModel, drafted: LanguageModel) -> None:
    penalised = replace(GREEDY, frequency_penalty=1.0)
    run = Run(drafted)
    run.add(_prompt(10), penalised)
    assert run.finish() == [_answer(plain, _prompt(10), penalised)]
    assert run.speculation.guessed == 0


HELD = {
    "schema": grammar_of(
        JsonSchemaOutput(schema={"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99}})
    ),
    "regex": grammar_of(RegexOutput(pattern="([a-f]{1,3}, )*[0-9]{6}")),
    "choice": grammar_of(ChoiceOutput(choices=("aaaa", "aaab", "b" * 30))),
    "trigger": Grammar(text='start: /[0-9]{5}/ "!"', parameter="tools", trigger="e"),
}


@SAMPLINGS
@pytest.mark.parametrize("grammar", HELD.values(), ids=HELD)
@pytest.mark.parametrize("length", [1, 6, 40])
def test_wrong_guesses_leave_no_trace_in_what_an_answer_is_held_to(
    plain: LanguageModel, drafted: LanguageModel, sampling: SamplingParameters, grammar: Grammar, length: int
) -> None:
    prompt = _prompt(length)
    run = Run(drafted)
    run.add(prompt, sampling, constraint=drafted.grammars.compile(grammar).begin(prompt, ()))
    assert run.finish() == [_answer(plain, prompt, sampling, grammar=grammar)]
    assert run.speculation.guessed


def test_guesses_are_right_where_only_one_token_may_follow(plain: LanguageModel, drafted: LanguageModel) -> None:
    grammar = grammar_of(ChoiceOutput(choices=("b" * 30,)))
    run = Run(drafted)
    run.add(_prompt(5), constraint=drafted.grammars.compile(grammar).begin(_prompt(5), ()))
    assert run.finish() == [_answer(plain, _prompt(5), GREEDY, grammar=grammar)]
    assert run.speculation.accepted == run.speculation.guessed


def test_a_long_prompt_is_read_in_pieces_beside_the_answer(
    plain: LanguageModel, drafted: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speculation, "PIECE_TOKENS", 50)
    run = Run(drafted)
    run.add(_prompt(300), max_tokens=60)
    assert run.finish() == [_answer(plain, _prompt(300), GREEDY, max_tokens=60)]
    assert run.speculation.guessed


def test_nothing_is_guessed_beyond_the_draft_models_window(
    tiny_files: ModelFiles, plain: LanguageModel, tmp_path: Path
) -> None:
    short = write_tiny_model(tmp_path, max_position_embeddings=64)
    model = load_language_model(tiny_files, LoadOptions(draft_model=short))
    assert model.context_window > 64
    run = Run(model)
    run.add(_prompt(50), max_tokens=60)
    assert run.finish() == [_answer(plain, _prompt(50), GREEDY, max_tokens=60)]
    assert 0 < run.speculation.guessed < 20


def test_a_packed_kv_cache_takes_wrong_guesses_back(tmp_path: Path) -> None:
    files = write_tiny_model(tmp_path, hidden_size=64)
    (tmp_path / "draft").mkdir()
    draft = write_tiny_model(tmp_path / "draft", seed=4)
    for sampling in (GREEDY, WARM):
        expected = _answer(load_language_model(files, LoadOptions(kv_cache_bits=8)), _prompt(30), sampling)
        options = LoadOptions(kv_cache_bits=8, draft_model=draft)
        assert _answer(load_language_model(files, options), _prompt(30), sampling) == expected


def test_what_the_draft_model_has_read_is_freed_with_the_row(drafted: LanguageModel) -> None:
    run = Run(drafted)
    for leaves in (True, False):
        uid = run.add(_prompt(30), max_tokens=20)
        for _ in range(4):
            run.step()
        assert run.speculation._row is not None
        if leaves:
            run.generator.remove([uid])
        else:
            run.finish()
        assert run.speculation._row is None


@pytest.fixture
async def speculating(host: EngineHost, tiny_files: ModelFiles, other_files: ModelFiles) -> EngineHost:
    await host.load(tiny_files, LoadOptions(draft_model=other_files))
    return host


def _lengths(result: GenerationResult) -> tuple[int, int]:
    """Tokens read and written; how many of those read were known already is another matter."""
    return result.usage.prompt_tokens, result.usage.completion_tokens


async def test_jobs_say_the_same_alone_together_and_without_a_draft(
    speculating: EngineHost, tiny_files: ModelFiles
) -> None:
    requests = [("one", GREEDY), ("two " * 30, WARM), ("three", replace(WARM, presence_penalty=1.0)), ("four", WARM)]
    options = [{"text": text, "sampling": sampling, "max_tokens": 60} for text, sampling in requests]
    alone = [await run(speculating, **each) for each in options]  # type: ignore[arg-type]
    together = await asyncio.gather(*(run(speculating, **each) for each in options))  # type: ignore[arg-type]
    await speculating.unload(TINY_MODEL)
    await speculating.load(tiny_files)
    expected = [await run(speculating, **each) for each in options]  # type: ignore[arg-type]
    for results in (alone, list(together)):
        assert [result.text for result in results] == [result.text for result in expected]
        assert [_lengths(result) for result in results] == [_lengths(result) for result in expected]


async def test_a_stop_text_within_the_tokens_of_a_step_ends_the_answer(
    speculating: EngineHost, tiny_files: ModelFiles
) -> None:
    text = (await run(speculating, max_tokens=60)).text
    stops = [text[at : at + 2] for at in range(4, 24)]
    stopped = [await run(speculating, max_tokens=60, stop=(stop,)) for stop in stops]
    after = await run(speculating, max_tokens=60)
    await speculating.unload(TINY_MODEL)
    await speculating.load(tiny_files)
    for stop, result in zip(stops, stopped, strict=True):
        expected = await run(speculating, max_tokens=60, stop=(stop,))
        assert (result.text, result.finish_reason) == (expected.text, FinishReason.STOP)
        assert _lengths(result) == _lengths(expected)
    assert after.text == text


async def test_cancelling_a_job_leaves_the_next_one_its_text(speculating: EngineHost) -> None:
    expected = await run(speculating, max_tokens=60)
    for _ in range(5):
        leaver = await begin(submit(speculating, max_tokens=400))
        await anext(leaver.stream)
        await anext(leaver.stream)
        speculating.cancel(leaver.job.id)
    assert (await finish(submit(speculating, max_tokens=60))).text == expected.text
    assert speculating.active_jobs == 0


async def test_a_draft_model_is_loaded_and_freed_with_its_model(
    host: EngineHost, tiny_files: ModelFiles, other_files: ModelFiles
) -> None:
    alone = await host.load(tiny_files)
    await host.unload(TINY_MODEL)
    before = host.memory_use.active_bytes
    options = LoadOptions(draft_model=other_files)
    both = await host.load(tiny_files, options)
    assert both.options == options
    assert both.memory_bytes == 2 * alone.memory_bytes
    assert [model.id for model in host.models] == [TINY_MODEL]
    await run(host)
    await host.unload(TINY_MODEL)
    assert host.memory_use.active_bytes - before < 4096


def _write_other_words(directory: Path, *, end_token: str = "<|end|>", added: int = 0) -> ModelFiles:
    files = write_tiny_model(directory)
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text().replace("<|end|>", end_token))
    last = tokenizer["added_tokens"][-1]
    tokenizer["added_tokens"] += [
        {**last, "id": last["id"] + number, "content": f"<|{number}|>"} for number in range(1, added + 1)
    ]
    path.write_text(json.dumps(tokenizer))
    config = directory / "tokenizer_config.json"
    config.write_text(config.read_text().replace("<|end|>", end_token))
    return files


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda directory: _write_other_words(directory, added=2), "of 259 tokens is not the model's, of 257"),
        (lambda directory: _write_other_words(directory, end_token="<|fin|>"), "of 257 tokens is not the model's"),
        (
            lambda directory: write_tiny_model(
                directory, layer_types=["sliding_attention", "full_attention"], sliding_window=64
            ),
            "cannot be taken back from RotatingKVCache",
        ),
    ],
)
async def test_a_draft_model_that_does_not_go_with_the_model_is_refused(
    host: EngineHost, tiny_files: ModelFiles, tmp_path: Path, write: Callable[[Path], ModelFiles], reason: str
) -> None:
    files = write(tmp_path)
    with pytest.raises(LoadOptionRefusedError, match=reason) as refusal:
        await host.load(tiny_files, LoadOptions(draft_model=files))
    assert refusal.value.parameter == "draft_model"
    assert refusal.value.model_id == TINY_MODEL
    assert not host.models
    await host.load(tiny_files)


async def test_a_damaged_draft_model_is_named(host: EngineHost, tiny_files: ModelFiles, tmp_path: Path) -> None:
    damaged = replace(write_tiny_model(tmp_path), model_id=ModelId("tests/damaged"))
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InvalidModelError, match="tests/damaged"):
        await host.load(tiny_files, LoadOptions(draft_model=damaged))
    assert not host.models


@pytest.mark.real_model
def test_the_starter_model_says_the_same_with_itself_as_draft(starter_files: ModelFiles) -> None:
    plain = load_language_model(starter_files)
    drafted = load_language_model(starter_files, LoadOptions(draft_model=starter_files))
    prompt = render_prompt(plain.tokenizer, [user_message("Write one line about the sea.")], context_window=999)
    for sampling in (GREEDY, SamplingParameters(temperature=0.7, top_p=0.9, seed=3)):
        run = Run(drafted)
        run.add(list(prompt), sampling, max_tokens=32)
        assert run.finish() == [_answer(plain, list(prompt), sampling, max_tokens=32)]
        assert run.speculation.accepted > 0.8 * run.speculation.guessed
