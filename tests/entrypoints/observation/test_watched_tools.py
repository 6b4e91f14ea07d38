"""Every use of a tool is counted and logged, however it ends; what it is told and returns is not."""

import asyncio
import logging

import pytest

from cortex_adapters.fake import FakeClock, FakeToolProvider, ScriptedToolUse
from cortex_contracts.tool_provider import ToolProviderContract, ToolProviderHarness
from cortex_domain.errors import StorageError, ToolFailedError
from cortex_domain.tool_execution import ToolContext, ToolDescriptor
from cortex_domain.tools import ToolDefinition
from cortex_entrypoints.observation.watched_tools import WatchedToolProvider
from cortex_entrypoints.tool_tally import ToolOutcome, ToolTally
from tests.contracts.harnesses import fake_tool_harness

CONTEXT = ToolContext(call_id="c1", run_id="r1", deadline_s=1e9, report_progress=lambda *_: None)


class Bench:
    def __init__(self, use: ScriptedToolUse) -> None:
        clock = FakeClock(auto_advance=True)
        tools = [ToolDescriptor(definition=ToolDefinition(name="work"))]
        self.inner = FakeToolProvider(tools, clock=clock, script={"work": [use]})
        self.tally = ToolTally()
        self.watched = WatchedToolProvider(self.inner, tally=self.tally, clock=clock)


class TestWatchedToolProvider(ToolProviderContract):
    @pytest.fixture
    async def harness(self) -> ToolProviderHarness:
        harness = await fake_tool_harness()
        watched = WatchedToolProvider(harness.provider, tally=ToolTally(), clock=FakeClock())
        return ToolProviderHarness(
            provider=watched,
            working=harness.working,
            wrong=harness.wrong,
            failing=harness.failing,
            waiting=harness.waiting,
            times_begun=harness.times_begun,
            is_at_work=harness.is_at_work,
        )


async def test_a_use_is_one_line_without_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ScriptedToolUse(delay_s=1.5))
    with caplog.at_level(logging.INFO):
        await bench.watched.invoke("work", {"word": "secret"}, CONTEXT)
    (record,) = caplog.records
    assert record.message == "tool used"
    assert vars(record)["facts"] == {
        "tool": "work",
        "outcome": "ok",
        "call_id": "c1",
        "run_id": "r1",
        "duration_ms": 1500.0,
    }
    assert bench.tally.seconds == {"work": 1.5}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ToolFailedError("no", reason="disk_full"), "disk_full"),
        (StorageError("no"), "storage_failed"),
        (KeyError("secret"), "internal_error"),
    ],
)
async def test_a_failure_has_its_code(error: Exception, code: str, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ScriptedToolUse(error=error))
    with caplog.at_level(logging.INFO), pytest.raises(type(error)):
        await bench.watched.invoke("work", {}, CONTEXT)
    told = vars(caplog.records[0])["facts"]
    assert (told["outcome"], told["code"]) == ("failed", code)
    assert bench.tally.uses == {("work", ToolOutcome.FAILED): 1}


async def test_a_use_that_is_given_up_counts_as_such() -> None:
    bench = Bench(ScriptedToolUse(delay_s=None))
    task = asyncio.create_task(bench.watched.invoke("work", {}, CONTEXT))
    while not bench.inner.running:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert bench.tally.uses == {("work", ToolOutcome.GIVEN_UP): 1}
