"""Runs at work in an embedding program: followed, decided, cancelled, stopped and gone on with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cortex_adapters.fake import ScriptedToolUse
from cortex_domain.agent_run_events import (
    AgentRunFinished,
    AgentRunRecord,
    AgentRunStatus,
    ApprovalDecision,
    ApprovalGiven,
    ApprovalRequested,
)
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentRunNotFoundError, GeneratorBusyError, ShuttingDownError, StorageError
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_domain.tools import ToolChoice, ToolChoiceMode
from cortex_entrypoints import Settings, open_cortex, run_agent, tool
from cortex_entrypoints.agent_runs import AgentRuns
from cortex_entrypoints.embedded_agent_run import FollowedAgentRun
from tests.domain.use_cases.agent_bench import MOLE, AgentBench, calling, to

DONE, WAITING = AgentRunStatus.COMPLETED, AgentRunStatus.WAITING_FOR_APPROVAL


def runs_of(bench: AgentBench) -> AgentRuns:
    return AgentRuns(
        store=bench.store,
        run_agent=bench.run_agent,
        start_agent_run=bench.start_run,
        decide_approval=bench.decide_approval,
        cancel_agent_run=bench.cancel_run,
        get_agent_run=bench.get_run,
    )


@asynccontextmanager
async def at_work(bench: AgentBench) -> AsyncIterator[AgentRuns]:
    runs = runs_of(bench)
    try:
        yield runs
    finally:
        await runs.stop()


async def all_records(runs: AgentRuns, run_id: str, after: int = 0) -> list[AgentRunRecord]:
    async with runs.follow(run_id, owner=None, after=after) as records:
        return [record async for record in records]


def approval(call_id: str, decision: ApprovalDecision = ApprovalDecision.APPROVED) -> ApprovalGiven:
    return ApprovalGiven(call_id=call_id, decision=decision)


async def test_a_run_is_followed_from_any_point_by_anybody() -> None:
    async with at_work(AgentBench(script=[calling(to("look")), "Done."])) as runs:
        run_id = (await runs.begin(MOLE, "Dig.", owner="me")).started.run_id
        one, two, late = await asyncio.gather(
            all_records(runs, run_id), all_records(runs, run_id), all_records(runs, run_id, after=4)
        )
        assert one == two
        assert late == one[4:]
        assert [record.sequence for record in one] == list(range(1, len(one) + 1))
        assert one == await all_records(runs, run_id)
        assert (await runs.until_settled(run_id, owner="me")).status is DONE
    assert runs.live_runs == 0


async def test_a_decision_wakes_the_run() -> None:
    async with at_work(AgentBench(script=[calling(to("write")), "Done."])) as runs:
        run_id = (await runs.begin(MOLE, "Dig.")).started.run_id
        assert (await runs.until_settled(run_id, owner=None)).status is WAITING
        await asyncio.sleep(0)
        following = asyncio.create_task(all_records(runs, run_id))
        await runs.decide(run_id, approval("call_1_1"), owner=None)
        assert isinstance((await following)[-1].event, AgentRunFinished)
        assert (await runs.get(run_id, owner=None)).status is DONE


async def test_a_decision_for_an_asked_agent_wakes_who_asked() -> None:
    bench = AgentBench(
        script=[calling(to("ask_rat", task="Write.")), calling(to("write")), "Written.", "The rat has."],
        agents=[replace(MOLE, name="rat")],
    )
    async with at_work(bench) as runs:
        run_id = (await runs.begin(replace(MOLE, sub_agents=("rat",)), "Dig.")).started.run_id
        assert (await runs.until_settled(run_id, owner=None)).status is WAITING
        await runs.decide(f"{run_id}_call_1_1", approval("call_1_1"), owner=None)
        assert (await all_records(runs, run_id))[-1].event.type == "run_finished"
        assert (await runs.get(run_id, owner=None)).status is DONE


async def test_cancelling_an_asked_agent_is_an_error_for_who_asked() -> None:
    bench = AgentBench(
        script=[calling(to("ask_rat", task="Write.")), calling(to("write")), "The rat has not."],
        agents=[replace(MOLE, name="rat")],
    )
    async with at_work(bench) as runs:
        run_id = (await runs.begin(replace(MOLE, sub_agents=("rat",)), "Dig.")).started.run_id
        await runs.until_settled(run_id, owner=None)
        await runs.cancel(f"{run_id}_call_1_1", owner=None)
        await all_records(runs, run_id)
        state = await runs.get(run_id, owner=None)
        assert (state.finished is not None, state.calls["call_1_1"].result is not None) == (True, True)


async def test_cancelling_ends_the_work_at_once() -> None:
    bench = AgentBench(script=[calling(to("dig"))], uses={"dig": [ScriptedToolUse(delay_s=None)]})
    async with at_work(bench) as runs:
        run_id = (await runs.begin(MOLE, "Dig.")).started.run_id
        while not bench.fake_tools.uses:
            await asyncio.sleep(0)
        assert (await runs.cancel(run_id, owner=None)).status is AgentRunStatus.CANCELLED
        while runs.live_runs:
            await asyncio.sleep(0)
        assert not bench.fake_tools.running


async def test_stopping_leaves_runs_to_go_on_with() -> None:
    first = AgentBench(script=[calling(to("look"))], uses={"look": [ScriptedToolUse(delay_s=None)]})
    async with at_work(first) as runs:
        run_id = (await runs.begin(MOLE, "Dig.")).started.run_id
        following = asyncio.create_task(all_records(runs, run_id))
        waiting = asyncio.create_task(runs.until_settled(run_id, owner=None))
        while not first.fake_tools.uses:
            await asyncio.sleep(0)
    assert (await following)[-1].event.type == "tool_started"
    with pytest.raises(ShuttingDownError):
        await waiting
    with pytest.raises(ShuttingDownError):
        await runs.begin(MOLE, "Dig.")
    runs.wake(run_id)
    assert runs.live_runs == 0
    async with at_work(AgentBench(script=["Done."], store=first.store)) as again:
        await again.resume_all()
        assert (await again.until_settled(run_id, owner=None)).status is DONE


async def test_a_run_whose_task_is_cancelled_before_it_begins_is_taken_up_again() -> None:
    bench = AgentBench(script=["Done."])
    async with at_work(bench) as runs:
        run_id = await bench.start()
        runs.wake(run_id)
        runs._tasks[run_id].cancel()
        assert (await runs.until_settled(run_id, owner=None)).status is DONE
        while runs.live_runs:
            await asyncio.sleep(0)


async def test_a_run_that_somebody_else_works_on_is_tried_again() -> None:
    bench = AgentBench(script=["Done."])
    async with at_work(bench) as runs:
        run_id = await bench.start()
        async with bench.store.claim(run_id):
            runs.wake(run_id)
            for _ in range(20):
                await asyncio.sleep(0)
            assert runs.live_runs == 1
        assert (await runs.until_settled(run_id, owner=None)).status is DONE


async def test_a_store_that_fails_for_a_while_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = AgentBench(script=["Done."])
    append, failures = bench.store.append, iter([True, True])

    async def failing(*args: object) -> None:
        if next(failures, False):
            raise StorageError("The disk is full.")
        await append(*args)  # type: ignore[arg-type]

    async with at_work(bench) as runs:
        run_id = await bench.start()
        monkeypatch.setattr(bench.store, "append", failing)
        runs.wake(run_id)
        assert (await runs.until_settled(run_id, owner=None)).status is DONE


async def test_a_bug_ends_one_run_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    bench = AgentBench(script=["Done."])
    bench.generator.generate_text = None  # type: ignore[assignment,method-assign]
    async with at_work(bench) as runs:
        run_id = (await runs.begin(MOLE, "Dig.")).started.run_id
        assert (await runs.until_settled(run_id, owner=None)).status is AgentRunStatus.FAILED
        while runs.live_runs:
            await asyncio.sleep(0)
    assert "TypeError" in caplog.text


async def test_what_is_not_there_is_not_worked_on_nor_followed() -> None:
    async with at_work(AgentBench()) as runs:
        runs.wake("run_0")
        while runs.live_runs:
            await asyncio.sleep(0)
        with pytest.raises(AgentRunNotFoundError):
            await all_records(runs, "run_0")


async def test_runs_beyond_the_most_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_entrypoints.agent_runs.MOST_WAITING", 0)
    async with at_work(AgentBench()) as runs:
        with pytest.raises(GeneratorBusyError):
            await runs.begin(MOLE, "Dig.")


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def _asking() -> ToolPolicy:
    return ToolPolicy(tools={"add": ToolPermission.ASK})


def embedded(tmp_path: Path) -> Settings:
    return Settings(default_model="fake/echo", data_dir=tmp_path)


DECISIONS: list[Callable[[FollowedAgentRun, str], Awaitable[None]]] = [
    lambda run, call_id: run.approve(call_id),
    lambda run, call_id: run.deny(call_id, reason="No."),
    lambda run, call_id: run.edit(call_id, {"a": 1, "b": 2}),
]
ADDER = AgentDefinition(
    name="adder", tools=("add",), first_tool_choice=ToolChoice(mode=ToolChoiceMode.NAMED, name="add")
)


async def test_a_program_runs_an_agent_on_its_own_functions(tmp_path: Path) -> None:
    async with open_cortex(embedded(tmp_path), tools=[add]) as cortex, run_agent(cortex, ADDER, "Add.") as run:
        events = [event async for event in run]
        assert (await run.state()).status is DONE
    assert [event.type for event in events if event.type.startswith("tool")] == [
        "tool_call",
        "tool_started",
        "tool_result",
    ]


async def test_a_program_decides_and_what_it_leaves_is_cancelled(tmp_path: Path) -> None:
    asking = replace(ADDER, policy=_asking())
    async with open_cortex(embedded(tmp_path), tools=[add]) as cortex:
        for decide in DECISIONS:
            async with run_agent(cortex, asking, "Add.") as run:
                async for event in run:
                    if isinstance(event, ApprovalRequested):
                        await decide(run, event.call_id)
                assert (await run.state()).status is DONE
        async with run_agent(cortex, asking, "Add.") as run:
            await anext(run)
        assert (await run.state()).status is AgentRunStatus.CANCELLED
