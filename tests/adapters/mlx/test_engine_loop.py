"""The loop between a host and its engine: whom it waits for, and whom it does not."""

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from cortex_adapters.mlx import engine_loop
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_loop import CommandQueue, EngineLoop
from cortex_adapters.mlx.engine_messages import EngineStepped, LoadModel, Report, StopEngine, SubmitJob
from cortex_domain.events import PrefillProgress
from cortex_domain.language_models import ModelFiles
from tests.adapters.mlx.engine_jobs import make_job


def _run(files: ModelFiles, jobs: int, monkeypatch: pytest.MonkeyPatch, *, gathering_s: float) -> list[Report]:
    """Runs short jobs, all submitted before the loop begins, and returns what the engine said."""
    monkeypatch.setattr(engine_loop, "GATHERING_S", gathering_s)
    commands: CommandQueue = queue.SimpleQueue()
    reports: list[Report] = []

    def take(report: Report) -> None:
        reports.append(report)
        if _ended(reports) == jobs:
            commands.put(StopEngine())

    commands.put(LoadModel(call_id=1, files=files))
    for number in range(jobs):
        commands.put(SubmitJob(job=make_job(number, f"hello {number}", max_tokens=2)))
    # On a thread of its own, because an engine ends MLX's work on the thread that it leaves.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: EngineLoop(Engine(), commands, take).run()).result()
    return reports


def _ended(reports: Sequence[Report]) -> int:
    return sum(step.is_last for report in reports if isinstance(report, EngineStepped) for step in report.steps)


def _first_read_together(reports: Sequence[Report]) -> int:
    """Counts the prompts of which the first step that read anything read some."""
    return next(
        count
        for report in reports
        if isinstance(report, EngineStepped)
        and (count := sum(any(map(_is_progress, step.outputs)) for step in report.steps))
    )


_is_progress: Callable[[object], bool] = lambda output: isinstance(output, PrefillProgress)  # noqa: E731


def test_prompts_that_come_together_are_read_together(tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _first_read_together(_run(tiny_files, 6, monkeypatch, gathering_s=60)) == 6


def test_a_prompt_that_comes_alone_waits_for_nobody(tiny_files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    # A wait would be for ever, because no other command comes.
    assert _ended(_run(tiny_files, 1, monkeypatch, gathering_s=1e9)) == 1
