"""A deadline ends a job wherever it is: not accepted yet, waiting for a row, being read, being answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from cortex_adapters.mlx import job_deadline, model_batch, prefill_pacing
from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_link import EngineEnd, EngineLink
from cortex_adapters.mlx.engine_messages import Command, EngineReady, JobAccepted, Report, SubmitJob
from cortex_adapters.mlx.text_generator import MlxTextGenerator
from cortex_adapters.system.clock import SystemClock
from cortex_domain.errors import DeadlineExceededError
from cortex_domain.event_stream import collect
from cortex_domain.generation import FinishReason, GenerationRequest, SamplingParameters
from cortex_domain.messages import user_message
from tests.adapters.mlx.engine_jobs import finish, submit
from tests.adapters.mlx.tiny_model import END_OF_ANSWER, TINY_MODEL
from tests.adapters.mlx.waiting_jobs import active
from tests.adapters.mlx.watched_host import WatchedHost

ENDLESS = SamplingParameters(temperature=0, logit_bias={END_OF_ANSWER: -100.0})
REQUEST = GenerationRequest(model=TINY_MODEL, messages=(user_message("hello"),), timeout_s=0.02)


class DeafLink(EngineLink):
    """An engine that does nothing for its jobs; at best it accepts them."""

    def __init__(self, *, accepts: bool) -> None:
        self._accepts = accepts
        self._report: Callable[[Report], None]

    async def start(self, on_report: Callable[[Report], None], _on_end: Callable[[EngineEnd], None]) -> None:
        self._report = on_report
        asyncio.get_running_loop().call_soon(on_report, EngineReady())

    def send(self, command: Command, /) -> None:
        if self._accepts and isinstance(command, SubmitJob):
            self._report(JobAccepted(job_id=command.job.id, prompt=(1, 2)))

    async def stop(self) -> None:
        pass


@pytest.fixture
async def deaf(request: pytest.FixtureRequest) -> AsyncIterator[EngineHost]:
    host = EngineHost(DeafLink(accepts=request.param))
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
def overdue(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Jobs whose deadline the test lets pass."""
    jobs: set[int] = set()
    monkeypatch.setattr(ActiveJob, "is_overdue", lambda active, _now_s: active.job.id in jobs)
    return jobs


def _generator(host: EngineHost) -> MlxTextGenerator:
    return MlxTextGenerator(host=host, clock=SystemClock(), default_max_tokens=10)


@pytest.mark.parametrize("deaf", [False], indirect=True)
async def test_a_request_that_is_not_accepted_by_then_is_refused(deaf: EngineHost) -> None:
    with pytest.raises(DeadlineExceededError):
        await _generator(deaf).generate_text(REQUEST).__aenter__()
    assert (deaf.active_jobs, deaf.waiting_jobs) == (0, 0)


@pytest.mark.parametrize("deaf", [True], indirect=True)
async def test_an_answer_ends_even_when_the_engine_does_not(deaf: EngineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_deadline, "_GRACE_S", 0.01)
    async with _generator(deaf).generate_text(REQUEST) as events:
        result = await collect(events)
        assert (deaf.active_jobs, deaf.waiting_jobs) == (0, 0)
    assert (result.finish_reason, result.text) == (FinishReason.CANCELLED, "")
    assert (result.usage.prompt_tokens, result.usage.completion_tokens) == (2, 0)


async def test_an_answer_ends_with_what_it_has(watched: WatchedHost, overdue: set[int]) -> None:
    whole = await finish(submit(watched.host, max_tokens=300, sampling=ENDLESS))
    open_job = submit(watched.host, max_tokens=400, sampling=ENDLESS)
    while not (open_job.progress and open_job.progress.answer):
        await asyncio.sleep(0.001)
    overdue.add(open_job.job.id)
    result = await finish(open_job)
    assert result.finish_reason is FinishReason.CANCELLED
    assert 1 <= result.usage.completion_tokens < 400
    assert whole.text.startswith(result.text[:20])
    assert result.timings.time_to_first_token_ms > 0
    assert not await watched.has_work()


async def test_a_job_that_waits_for_a_row_ends_without_one(
    watched: WatchedHost, overdue: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_batch, "MAX_ROWS", 1)
    running, waiting = (submit(watched.host, max_tokens=400, sampling=ENDLESS) for _ in range(2))
    overdue.add(waiting.job.id)
    result = await finish(waiting)
    assert (result.finish_reason, result.usage.completion_tokens) == (FinishReason.CANCELLED, 0)
    watched.host.cancel(running.job.id)
    assert not await watched.has_work()


async def test_a_prompt_that_is_being_read_is_read_no_further(
    watched: WatchedHost, overdue: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefill_pacing, "MAX_ROW_TOKENS", 1)
    open_job = submit(watched.host, "x" * 300)
    while not open_job.stream.has_begun:
        await asyncio.sleep(0.001)
    overdue.add(open_job.job.id)
    result = await finish(open_job)
    assert (result.finish_reason, result.usage.completion_tokens) == (FinishReason.CANCELLED, 0)
    assert not await watched.has_work()


def test_a_job_is_overdue_from_its_deadline_on() -> None:
    timeless, bounded = active(1), active(2, deadline_s=5.0)
    assert not timeless.is_overdue(time.monotonic())
    assert [bounded.is_overdue(now_s) for now_s in (4.9, 5.0, 6.0)] == [False, True, True]
