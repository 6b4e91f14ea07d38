"""Several answers to one request: the prompt is read once, and each is the one that it would be alone."""

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import mlx.core as mx
import pytest

from cortex_adapters.fake import FakeClock
from cortex_adapters.mlx import engine_host, model_batch
from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress, JobStep
from cortex_adapters.mlx.logits_processors import make_logits_processors
from cortex_adapters.mlx.model_batch import ModelBatch
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_adapters.mlx.prefix_cache import PrefixCache
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_adapters.mlx.text_generator import MlxTextGenerator
from cortex_domain.errors import GenerationNotFoundError, GeneratorBusyError, GeneratorFailedError, ModelNotLoadedError
from cortex_domain.event_stream import collect
from cortex_domain.events import ChoiceFinished, GenerationFinished, TextDelta
from cortex_domain.generation import Choice, FinishReason, GenerationRequest, Priority, SamplingParameters
from cortex_domain.language_models import LoadOptions, ModelFiles
from cortex_domain.messages import user_message
from tests.adapters.mlx.engine_jobs import make_job
from tests.adapters.mlx.tiny_model import END_OF_ANSWER, TINY_MODEL, write_tiny_model
from tests.adapters.mlx.watched_host import WatchedHost

WARM = SamplingParameters(temperature=1.2, top_p=1, seed=5)
PENALISED = replace(WARM, frequency_penalty=0.5, repetition_penalty=1.2)
ENDLESS = replace(WARM, logit_bias={END_OF_ANSWER: -100.0})
REQUEST = GenerationRequest(
    model=TINY_MODEL, messages=(user_message("Say something. " * 9),), sampling=WARM, max_tokens=24
)


def _generator(host: EngineHost) -> MlxTextGenerator:
    return MlxTextGenerator(host=host, clock=FakeClock(), default_max_tokens=24)


async def _answers(generator: MlxTextGenerator, request: GenerationRequest) -> tuple[Choice, ...]:
    async with generator.generate_text(request) as events:
        return (await collect(events)).choices


async def _alone(generator: MlxTextGenerator, request: GenerationRequest) -> tuple[Choice, ...]:
    """Asks for each of the answers by itself."""
    singles = [replace(request, n=1, sampling=request.sampling.for_choice(choice)) for choice in range(request.n)]
    return tuple([(await _answers(generator, single))[0] for single in singles])


# The batch.


def _read_all(generator: Any, prompts: dict[int, list[int]]) -> dict[int, list[int]]:
    answers: dict[int, list[int]] = {uid: [] for uid in prompts}
    unfinished = len(prompts)
    while unfinished:
        for response in generator.next()[1]:
            answers[response.uid].append(response.token)
            unfinished -= response.finish_reason is not None
    generator.close()
    return answers


def _insert(generator: Any, prompt: list[int], sampling: SamplingParameters, *, n: int) -> range:
    samplers = [RowSampler(sampling.for_choice(choice)) for choice in range(n)]
    processors = make_logits_processors(sampling, prompt_tokens=len(prompt))
    first = generator.insert_row(
        prompt, max_tokens=24, sampler=samplers[0], logits_processors=processors, copies=samplers[1:]
    )
    return range(first, first + n)


def _prompt(length: int) -> list[int]:
    return [random.Random(length).randrange(256) for _ in range(length)]


@pytest.mark.parametrize("kv_cache_bits", [None, 8])
@pytest.mark.parametrize("sampling", [WARM, PENALISED], ids=["warm", "penalised"])
def test_copies_go_on_from_the_prompt_beside_others(
    tmp_path: Any, sampling: SamplingParameters, kv_cache_bits: int | None
) -> None:
    files = write_tiny_model(tmp_path, hidden_size=64)
    model = load_language_model(files, LoadOptions(kv_cache_bits=kv_cache_bits))
    prompts = [(_prompt(90), 3), (_prompt(1), 2), (_prompt(17), 1), (_prompt(40), 4)]
    together: Any = LeanBatchGenerator(model, rows=64)
    together.read_at_most(rows=4, tokens=16)
    rows: dict[int, tuple[list[int], int]] = {}
    for prompt, n in prompts:
        rows |= {uid: (prompt, number) for number, uid in enumerate(_insert(together, prompt, sampling, n=n))}
    answers = _read_all(together, {uid: prompt for uid, (prompt, _) in rows.items()})
    for uid, (prompt, number) in rows.items():
        alone: Any = LeanBatchGenerator(model, rows=64)
        alone.read_at_most(rows=1, tokens=16)
        [single] = _insert(alone, prompt, sampling.for_choice(number), n=1)
        assert answers[uid] == _read_all(alone, {single: prompt})[single]


def test_the_prompt_is_read_once(tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_language_model(tiny_files)
    shapes = _shapes_of_forwards(model, monkeypatch)
    generator: Any = LeanBatchGenerator(model, rows=64)
    generator.read_at_most(rows=4, tokens=64)
    uids = _insert(generator, _prompt(100), ENDLESS, n=4)
    _read_all(generator, {uid: [] for uid in uids})
    assert shapes[:2] == [(1, 64), (1, 35)]
    # The last token of the prompt, then all tokens drawn; the step that ends the answers had drawn one ahead.
    assert shapes[2:] == [(4, 1)] * 25


def _shapes_of_forwards(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    forward = type(model.network).__call__

    def noting(network: object, tokens: mx.array, **options: object) -> mx.array:
        shapes.append(tuple(tokens.shape))
        result: mx.array = forward(network, tokens, **options)
        return result

    monkeypatch.setattr(type(model.network), "__call__", noting)
    return shapes


# The jobs of one model.


def _job(*, n: int, priority: Priority = Priority.INTERACTIVE, deadline_s: float | None = None) -> Job:
    copies = tuple(JobId(2 + number) for number in range(n - 1))
    return replace(make_job(1, sampling=ENDLESS, priority=priority), copies=copies, deadline_s=deadline_s)


def _run(batch: ModelBatch) -> dict[int, list[int]]:
    answers: dict[int, list[int]] = {}
    while batch.has_work:
        for step in batch.step():
            answers.setdefault(step.job_id, []).extend(step.tokens)
    return answers


def _admit(batch: ModelBatch, job: Job, *, prompt_tokens: int = 40) -> None:
    assert batch.admit(job, JobProgress(prompt=tuple(_prompt(prompt_tokens))), max_tokens=24) == []


def _lasts(steps: Sequence[JobStep]) -> dict[int, object]:
    return {step.job_id: step.outputs[-1] for step in steps if step.is_last}


def test_who_is_paused_before_its_prompt_was_read_keeps_its_copies(
    tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_language_model(tiny_files)
    undisturbed = ModelBatch(model, PrefixCache(PrefixCacheLimits()))
    _admit(undisturbed, _job(n=3, priority=Priority.BACKGROUND), prompt_tokens=400)
    expected = _run(undisturbed)
    monkeypatch.setattr(model_batch, "MAX_ROWS", 4)
    pauses: list[Sequence[int]] = []
    pause = ActiveJob.pause

    def noting(active: ActiveJob) -> None:
        pauses.append([member.job.id for member in active.with_copies])
        pause(active)

    monkeypatch.setattr(ActiveJob, "pause", noting)
    batch = ModelBatch(model, PrefixCache(PrefixCacheLimits()))
    _admit(batch, replace(make_job(0), priority=Priority.BACKGROUND, max_tokens=1))
    _admit(batch, _job(n=3, priority=Priority.BACKGROUND), prompt_tokens=400)
    batch.step()
    assert batch.promised_bytes == 4 * model.memory.sequence_bytes(424)
    _admit(batch, replace(make_job(9), copies=(JobId(10), JobId(11))))
    answers = _run(batch)
    assert pauses == [[1, 2, 3]]
    assert {number: answers[number] for number in (1, 2, 3)} == expected
    assert {9, 10, 11} < answers.keys()


@pytest.mark.parametrize("steps", [0, 1, 8], ids=["waiting", "reading", "answering"])
def test_all_answers_end_together(tiny_files: ModelFiles, steps: int) -> None:
    model, reason = load_language_model(tiny_files), ModelNotLoadedError(model_id=TINY_MODEL)
    batch = ModelBatch(model, PrefixCache(PrefixCacheLimits()))
    _admit(batch, _job(n=3))
    for _ in range(steps):
        batch.step()
    assert _lasts(batch.close(reason)) == dict.fromkeys((1, 2, 3), reason)


@pytest.mark.parametrize("steps", [0, 1], ids=["waiting", "reading"])
def test_cancelling_before_the_prompt_was_read_takes_the_copies_along(tiny_files: ModelFiles, steps: int) -> None:
    batch = ModelBatch(load_language_model(tiny_files), PrefixCache(PrefixCacheLimits()))
    _admit(batch, _job(n=3), prompt_tokens=400)
    for _ in range(steps):
        batch.step()
    batch.cancel(JobId(1))
    assert not batch.has_work
    _admit(batch, make_job(9))
    assert _run(batch).keys() == {9}


@pytest.mark.parametrize("steps", [0, 1], ids=["waiting", "reading"])
def test_a_deadline_ends_all_answers(tiny_files: ModelFiles, steps: int) -> None:
    batch = ModelBatch(load_language_model(tiny_files), PrefixCache(PrefixCacheLimits()))
    _admit(batch, _job(n=3, deadline_s=float("inf")), prompt_tokens=400)
    for _ in range(steps):
        batch.step()
    for active in [*batch._waiting.items, *batch._jobs.values()]:
        active.job = replace(active.job, deadline_s=0.0)
    ends = _lasts(batch.step())
    assert ends.keys() == {1, 2, 3}
    for end in ends.values():
        assert isinstance(end, GenerationFinished)
        assert end.finish_reason is FinishReason.CANCELLED
    assert not batch.has_work


# Requests.


@pytest.fixture
async def generator(host: EngineHost, tiny_files: ModelFiles) -> MlxTextGenerator:
    await host.load(tiny_files)
    return _generator(host)


async def test_each_answer_is_the_one_of_its_seed(generator: MlxTextGenerator) -> None:
    several = replace(REQUEST, n=4)
    others = [replace(REQUEST, messages=(user_message(text),)) for text in ("one", "two " * 30)]
    alone = await _alone(generator, several)
    expected = [alone, *[await _answers(generator, other) for other in others]]
    assert len(set(alone)) == 4
    beside = await asyncio.gather(*(_answers(generator, request) for request in (several, *others)))
    assert list(beside) == expected


async def test_usage_counts_the_prompt_once_and_all_answers(generator: MlxTextGenerator) -> None:
    async with generator.generate_text(replace(REQUEST, sampling=ENDLESS, n=3)) as events:
        told = [event async for event in events]
    usage = next(event.usage for event in told if isinstance(event, GenerationFinished))
    prompt_tokens = len("u:" + "Say something. " * 9 + "\na:")
    assert (usage.prompt_tokens, usage.completion_tokens) == (prompt_tokens, 3 * 24)
    assert sorted(event.choice for event in told if isinstance(event, ChoiceFinished)) == [0, 1, 2]


@pytest.mark.parametrize("leaves_at_text", [False, True], ids=["at_once", "in_the_middle"])
async def test_leaving_cancels_all_answers(watched: WatchedHost, leaves_at_text: bool) -> None:
    generator = _generator(watched.host)
    request = replace(REQUEST, sampling=ENDLESS, n=4, max_tokens=300)
    async with generator.generate_text(request) as events:
        with pytest.raises(GenerationNotFoundError):
            generator.suspend(request.generation_id, for_s=60)
        async for event in events:
            if not leaves_at_text or isinstance(event, TextDelta):
                break
    assert (watched.host.active_jobs, watched.host.waiting_jobs) == (0, 0)
    assert not await watched.has_work()


async def test_what_ends_one_answer_ends_the_request(watched: WatchedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = _generator(watched.host)
    request = replace(REQUEST, sampling=ENDLESS, n=3, max_tokens=300)
    take_token = ActiveJob.take_token

    def failing(active: ActiveJob, token: int, finish_reason: str | None) -> Any:
        if active.job.sampling.seed == 7 and len(active.progress.answer) == 5:
            raise RuntimeError("This one cannot be read.")
        return take_token(active, token, finish_reason)

    monkeypatch.setattr(ActiveJob, "take_token", failing)
    with pytest.raises(GeneratorFailedError):
        await _answers(generator, request)
    assert not await watched.has_work()


async def test_each_answer_takes_a_place_in_the_queue(watched: WatchedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_host, "MAX_WAITING_JOBS_OF_OWNER", 3)
    generator = _generator(watched.host)
    with pytest.raises(GeneratorBusyError):
        await _answers(generator, replace(REQUEST, n=4))
    assert len(await _answers(generator, replace(REQUEST, n=3))) == 3


@pytest.mark.parametrize("moment", ["queued", "accepted", "answering"])
async def test_a_worker_may_die_in_the_middle(tiny_files: ModelFiles, moment: str) -> None:
    link = ProcessLink()
    host = EngineHost(link)
    await host.start()
    try:
        await host.load(tiny_files)
        generator = _generator(host)
        request = replace(REQUEST, sampling=ENDLESS, n=3, max_tokens=100)
        expected = await _alone(generator, request)
        reading = asyncio.create_task(_answers(generator, request))
        await _until(host, moment)
        assert link.pid is not None
        os.kill(link.pid, signal.SIGKILL)
        assert await reading == expected
        assert host.restarts == 1
    finally:
        await host.stop()


async def _until(host: EngineHost, moment: str) -> None:
    while not host._jobs:
        await asyncio.sleep(0)
    jobs = list(host._jobs.values())
    while moment != "queued" and not jobs[0].accepted.done():
        await asyncio.sleep(0)
    while moment == "answering" and not all(job.progress and job.progress.answer for job in jobs):
        await asyncio.sleep(0.0005)
