"""Engines that end again and again: who is blamed, and how patiently new ones are started."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from cortex_adapters.mlx import engine_host
from cortex_adapters.mlx.device import MemoryUse
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_link import EngineEnd, EngineLink
from cortex_adapters.mlx.engine_messages import (
    Command,
    EngineReady,
    EngineStepped,
    JobAccepted,
    LoadModel,
    ModelLoaded,
    Report,
    SubmitJob,
)
from cortex_adapters.mlx.jobs import JobStep
from cortex_domain.errors import GeneratorFailedError
from cortex_domain.events import GenerationFinished
from cortex_domain.generation import FinishReason, GenerationTimings, TokenUsage
from cortex_domain.language_models import LoadedModel, ModelFiles
from tests.adapters.mlx.engine_jobs import finish, submit
from tests.adapters.mlx.tiny_model import TINY_MODEL

KILLED = EngineEnd(description="was ended by signal 9", is_from_outside=True)
CRASHED = EngineEnd(description="was ended by signal 11", is_from_outside=False)
FILES = ModelFiles(model_id=TINY_MODEL, directory=Path("nowhere"), revision=None, size_bytes=1)
LOADED = LoadedModel(id=TINY_MODEL, memory_bytes=1, context_window=10)
DONE = GenerationFinished(
    finish_reason=FinishReason.STOP,
    usage=TokenUsage(prompt_tokens=1, completion_tokens=1),
    timings=GenerationTimings(queue_ms=0, prefill_ms=0, time_to_first_token_ms=0, tokens_per_second=0),
)


class EndingLink(EngineLink):
    """Engines that end as soon as they are given a job, `ends` times in all; the next one answers it.

    Attributes:
        starts_s: When each engine was asked to start, by the event loop.
    """

    def __init__(self, *, end: EngineEnd, ends: int = 0, failing_starts: int = 0) -> None:
        self.starts_s: list[float] = []
        self._end = end
        self._ends = ends
        self._failing_starts = failing_starts
        self._report: Callable[[Report], None]
        self._on_end: Callable[[EngineEnd], None]

    async def start(self, on_report: Callable[[Report], None], on_end: Callable[[EngineEnd], None]) -> None:
        self.starts_s.append(asyncio.get_running_loop().time())
        if len(self.starts_s) <= self._failing_starts:
            raise OSError("not yet")
        self._report, self._on_end = on_report, on_end
        self._tell(EngineReady())

    def send(self, command: Command, /) -> None:
        if isinstance(command, LoadModel):
            self._tell(ModelLoaded(call_id=command.call_id, model=LOADED, memory_use=MemoryUse()))
        elif isinstance(command, SubmitJob) and self._ends:
            self._ends -= 1
            asyncio.get_running_loop().call_soon(self._on_end, self._end)
        elif isinstance(command, SubmitJob):
            self._tell(JobAccepted(job_id=command.job.id, prompt=(1,)))
            self._tell(EngineStepped(steps=(JobStep(job_id=command.job.id, outputs=(DONE,)),), memory_use=MemoryUse()))

    async def stop(self) -> None:
        pass

    def _tell(self, report: Report) -> None:
        asyncio.get_running_loop().call_soon(self._report, report)


async def _serve(link: EngineLink) -> EngineHost:
    host = EngineHost(link)
    await host.start()
    await host.load(FILES)
    return host


@pytest.mark.parametrize(("end", "ends"), [(KILLED, 7), (CRASHED, 1)])
async def test_a_job_outlives_ends_that_are_hardly_its_fault(end: EngineEnd, ends: int) -> None:
    host = await _serve(EndingLink(end=end, ends=ends))
    assert (await finish(submit(host))).finish_reason is FinishReason.STOP
    assert host.restarts == ends
    await host.stop()


@pytest.mark.parametrize(("end", "ends"), [(KILLED, 8), (CRASHED, 2)])
async def test_a_job_that_engines_keep_ending_of_is_refused(end: EngineEnd, ends: int) -> None:
    host = await _serve(EndingLink(end=end, ends=ends))
    with pytest.raises(GeneratorFailedError, match="each time it worked on this request"):
        await finish(submit(host))
    assert (await finish(submit(host))).finish_reason is FinishReason.STOP
    await host.stop()


async def test_starts_that_fail_are_repeated_after_pauses_that_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_host, "FAILED_START_PAUSES_S", (0.02, 0.06))
    link = EndingLink(end=KILLED, failing_starts=2)
    host = await _serve(link)
    pauses_s = [later_s - earlier_s for earlier_s, later_s in pairwise(link.starts_s)]
    assert [pause_s >= least_s * 0.9 for pause_s, least_s in zip(pauses_s, (0.02, 0.06), strict=True)] == [True, True]
    await host.stop()


async def test_a_start_that_always_fails_is_given_up() -> None:
    link = EndingLink(end=KILLED, failing_starts=100)
    host = EngineHost(link)
    with pytest.raises(GeneratorFailedError, match="so did every new one"):
        await host.start()
    assert len(link.starts_s) == len(engine_host.FAILED_START_PAUSES_S) + 1
    await host.stop()
