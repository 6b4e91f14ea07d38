"""A program that works on agent runs is killed again and again; nothing that was settled is lost or done twice."""

import asyncio
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from cortex_adapters.sqlite import SqliteAgentRunStore
from cortex_domain.agent_run_events import AgentRunRecord, AgentRunStatus, ApprovalReason, ApprovalRequested
from tests.domain.use_cases.agent_chaos import as_text, require_sound
from tests.reliability.figures import note
from tests.reliability.scale import SCALE

RUNS_A_KILL = 3


async def test_kills_lose_no_run_and_double_no_step(tmp_path: Path) -> None:
    random = Random(7)
    for kill in range(SCALE.agent_kills):
        await _killed(tmp_path, kill, random)
    process = await _started(tmp_path, SCALE.agent_kills)
    assert await process.wait() == 0
    await _require_all_sound(tmp_path)


async def _killed(directory: Path, seed: int, random: Random) -> None:
    process = await _started(directory, seed)
    await asyncio.sleep(random.uniform(0.0, 0.3))
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.wait()


async def _started(directory: Path, seed: int) -> asyncio.subprocess.Process:
    runs = RUNS_A_KILL * (seed + 1)
    arguments = ["-m", "tests.reliability.agent_process", str(directory), str(seed), str(runs)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def _require_all_sound(directory: Path) -> None:
    uses = [tuple(line.split()) for line in (directory / "uses").read_text().splitlines()]
    made = Counter((run_id, call_id) for run_id, call_id, _ in uses)
    store = SqliteAgentRunStore(directory / "runs.sqlite")
    runs = {run.run_id: run for run in await store.list_runs(owner=None, limit=100_000)}
    assert set((directory / "begun").read_text().split()) <= runs.keys()
    assert {run.status for run in runs.values()} <= {status for status in AgentRunStatus if status.is_final}
    unknown = 0
    for run_id in runs:
        log = await store.read(run_id, owner=None)
        unknown += _require_sound(log, made)
    await store.close()
    _require_integrity(directory / "runs.sqlite")
    note(
        f"{SCALE.agent_kills} kills of a program amid {len(runs)} agent runs and {len(uses)} uses of tools: none lost, "
        f"no step doubled, {unknown} calls of unknown outcome asked about"
    )


def _require_sound(log: Sequence[AgentRunRecord], made: Counter[tuple[str, str]]) -> int:
    """Checks a log, and counts the calls of which nobody could tell whether they took place."""
    try:
        require_sound(log, made)  # type: ignore[arg-type]  # a counter of texts is one of texts or None
    except AssertionError as error:
        raise AssertionError(as_text(log)) from error
    asked = [record.event for record in log if isinstance(record.event, ApprovalRequested)]
    return sum(request.reason is ApprovalReason.UNKNOWN_OUTCOME for request in asked)


def _require_integrity(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
