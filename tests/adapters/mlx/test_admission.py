"""More jobs than rows: who waits, who pauses, and that nobody's text shows it."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from mlx_lm.generate import BatchGenerator

from cortex_adapters.mlx import model_batch
from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.open_job import OpenJob
from cortex_domain.errors import GeneratorFailedError
from cortex_domain.events import TextDelta
from cortex_domain.generation import Priority, SamplingParameters
from cortex_domain.language_models import ModelFiles, ModelId
from tests.adapters.mlx.engine_jobs import finish, run, submit
from tests.adapters.mlx.tiny_model import END_OF_ANSWER
from tests.adapters.mlx.watched_host import WatchedHost

ROWS = 2
LONG_ANSWER: dict[str, Any] = {
    "max_tokens": 200,
    "sampling": SamplingParameters(temperature=0, logit_bias={END_OF_ANSWER: -100.0}),
}
SEEDED_ANSWER = LONG_ANSWER | {
    "sampling": SamplingParameters(
        temperature=1.2, seed=4, presence_penalty=0.5, frequency_penalty=0.3, logit_bias={END_OF_ANSWER: -100.0}
    )
}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes who was paused."""
    noted: list[int] = []
    pause = ActiveJob.pause

    def noting(active: ActiveJob) -> None:
        noted.append(active.job.id)
        pause(active)

    monkeypatch.setattr(ActiveJob, "pause", noting)
    return noted


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_batch, "MAX_ROWS", ROWS)


async def _until_said(open_job: OpenJob) -> None:
    """Reads on until the job has said something."""
    async for event in open_job.stream:
        if isinstance(event, TextDelta):
            return


async def _until_answered(jobs: Sequence[OpenJob]) -> None:
    """Waits until each job has said something, without reading it."""
    while not all(open_job.progress and open_job.progress.answer for open_job in jobs):
        await asyncio.sleep(0.001)


async def _ends(jobs: Sequence[OpenJob]) -> list[int]:
    """Finishes jobs and returns in which order they ended."""
    order: list[int] = []

    async def note_end(number: int, open_job: OpenJob) -> None:
        await finish(open_job)
        order.append(number)

    await asyncio.gather(*(note_end(number, open_job) for number, open_job in enumerate(jobs)))
    return order


@pytest.mark.usefixtures("few_rows")
async def test_what_is_paused_for_the_interactive_says_what_it_would_have_said(
    watched: WatchedHost, pauses: list[int]
) -> None:
    host = watched.host
    expected = [(await run(host, "first", **LONG_ANSWER)).text, (await run(host, "second", **SEEDED_ANSWER)).text]
    background = [
        submit(host, "first", priority=Priority.BACKGROUND, **LONG_ANSWER),
        submit(host, "second", priority=Priority.BACKGROUND, **SEEDED_ANSWER),
    ]
    readers = [asyncio.ensure_future(finish(open_job)) for open_job in background]
    await _until_answered(background)
    await run(host, "now", max_tokens=5)
    assert not any(reader.done() for reader in readers)
    results = await asyncio.gather(*readers)
    assert [result.text for result in results] == expected
    assert [result.usage.completion_tokens for result in results] == [200, 200]
    assert pauses == [background[1].job.id]


@pytest.mark.usefixtures("few_rows")
async def test_the_interactive_go_before_the_background_that_waits(watched: WatchedHost) -> None:
    host = watched.host
    running = [submit(host, "running", **LONG_ANSWER)]
    running.append(submit(host, "longer", priority=Priority.BACKGROUND, **LONG_ANSWER | {"max_tokens": 400}))
    await asyncio.gather(*(open_job.accepted for open_job in running))
    waiting = [submit(host, "waiting", priority=Priority.BACKGROUND, max_tokens=4) for _ in range(3)]
    waiting += [submit(host, "urgent", max_tokens=4) for _ in range(3)]
    order = await _ends([*running, *waiting])
    assert order == [0, 5, 6, 7, 2, 3, 4, 1]


@pytest.mark.usefixtures("few_rows")
async def test_an_owner_with_many_jobs_does_not_delay_anothers_first(watched: WatchedHost, pauses: list[int]) -> None:
    host = watched.host
    expected = (await run(host, "many", **LONG_ANSWER)).text
    many = [submit(host, "many", owner="many", **LONG_ANSWER) for _ in range(5)]
    await _until_answered(many[:ROWS])
    one = submit(host, "one", owner="one", max_tokens=4)
    results = [asyncio.ensure_future(finish(open_job)) for open_job in many]
    await finish(one)
    assert not any(result.done() for result in results)
    assert [result.text for result in await asyncio.gather(*results)] == [expected] * 5
    assert pauses == [many[1].job.id]


async def test_cancelling_works_while_waiting_for_a_row(watched: WatchedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_batch, "MAX_ROWS", 1)
    host = watched.host
    running, *waiting = (submit(host, **LONG_ANSWER) for _ in range(4))
    await asyncio.gather(*(open_job.accepted for open_job in waiting))
    for open_job in waiting:
        host.cancel(open_job.job.id)
    await watched.obedience()
    assert (host.active_jobs + host.waiting_jobs, watched.engines[-1].has_work) == (1, True)
    host.cancel(running.job.id)
    assert not await watched.has_work()


@pytest.mark.usefixtures("few_rows")
async def test_a_step_that_fails_leaves_those_who_wait(watched: WatchedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = watched.host
    expected = (await run(host)).text
    failures = iter([True])

    def fail_once(generator: BatchGenerator, _next: Any = BatchGenerator.next) -> Any:
        if next(failures, False):
            raise RuntimeError("[metal] out of luck")
        return _next(generator)

    jobs = [submit(host) for _ in range(6)]
    await asyncio.gather(*(open_job.accepted for open_job in jobs[:3]))
    monkeypatch.setattr(BatchGenerator, "next", fail_once)
    results = await asyncio.gather(*(finish(open_job) for open_job in jobs), return_exceptions=True)
    failed = [result for result in results if isinstance(result, GeneratorFailedError)]
    answered = [result.text for result in results if not isinstance(result, BaseException)]
    assert 1 <= len(failed) <= ROWS
    assert answered == [expected] * (6 - len(failed))


async def test_a_thousand_that_start_and_leave_leave_nothing(host: EngineHost, tiny_files: ModelFiles) -> None:
    """Leaves at once, when accepted, while the prompt is read and while the answer is said."""
    await host.load(tiny_files)
    expected = (await run(host)).text
    await _start_and_leave(host, 100)
    before_bytes = await _active_bytes(host)
    await _start_and_leave(host, 1000)
    assert (host.active_jobs, host.waiting_jobs) == (0, 0)
    assert await _active_bytes(host) - before_bytes < 1000, "More than a byte for each that left."
    assert (await run(host)).text == expected


async def _start_and_leave(host: EngineHost, times: int) -> None:
    for first in range(0, times, 50):
        await asyncio.gather(*(_leave(host, number) for number in range(first, first + 50)))


async def _leave(host: EngineHost, number: int) -> None:
    open_job = submit(host, "x" * (7 * number % 300), owner=str(number % 3), **LONG_ANSWER)
    for _ in range(number % 4):
        await next(_moments(open_job))
    host.cancel(open_job.job.id)


def _moments(open_job: OpenJob) -> Iterator[Any]:
    if not open_job.accepted.done():
        yield open_job.accepted
    elif not open_job.stream.has_begun:
        yield anext(open_job.stream)
    else:
        yield _until_said(open_job)


async def _active_bytes(host: EngineHost) -> int:
    """Has the engine do all that it was told, and reads what it then holds."""
    await host.unload(ModelId("tests/nothing"))
    return host.memory_use.active_bytes
