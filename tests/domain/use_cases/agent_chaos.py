"""Agent runs in which anything may happen at any time, and what has to hold of them nevertheless."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any

from cortex_adapters.fake import FakeClock, ScriptedReply, ScriptedToolCall
from cortex_adapters.in_memory import InMemoryAgentRunStore
from cortex_domain.agent_run_events import (
    AgentRunFinished,
    AgentRunRecord,
    AgentRunStatus,
    AgentRunSummary,
    ApprovalDecision,
    ApprovalGiven,
    ApprovalReason,
    ApprovalRequested,
    ModelTurnFinished,
)
from cortex_domain.agent_run_fold import fold
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.agents import AgentBudgets, AgentDefinition
from cortex_domain.errors import GeneratorBusyError, InvalidRequestError, ToolFailedError
from cortex_domain.ports import AgentRunStore, ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolFinished, ToolOutput, ToolStarted, ToolText
from tests.domain.use_cases.agent_bench import TOOLS, AgentBench, to

RAT = AgentDefinition(name="rat", tools=("*",), budgets=AgentBudgets(steps=4, tool_calls=4))


class Crash(BaseException):
    """The process ends here."""


class CrashingStore(AgentRunStore):
    """Ends the process at an appending: before it is written, or right after."""

    def __init__(self, inner: AgentRunStore, random: Random) -> None:
        self._inner = inner
        self._random = random

    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:
        fate = self._random.random()
        if fate < 0.03:
            raise Crash
        await self._inner.append(summary, records)
        if fate > 0.97:
            raise Crash

    async def read(self, *args: Any, **options: Any) -> Sequence[AgentRunRecord]:
        return await self._inner.read(*args, **options)

    async def get_summary(self, *args: Any, **options: Any) -> AgentRunSummary:
        return await self._inner.get_summary(*args, **options)

    async def list_runs(self, **options: Any) -> Sequence[AgentRunSummary]:
        return await self._inner.list_runs(**options)

    def claim(self, run_id: str, /) -> AbstractAsyncContextManager[None]:
        return self._inner.claim(run_id)

    async def delete(self, *args: Any, **options: Any) -> None:
        await self._inner.delete(*args, **options)


class RecordingTools(ToolProvider):
    """Counts how often each call was really made."""

    def __init__(self, random: Random, made: Counter[tuple[str | None, str]]) -> None:
        self._random = random
        self._made = made

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        return TOOLS

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        self._made[context.run_id, context.call_id] += 1
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        if self._random.random() < 0.2:
            raise ToolFailedError("Stone.", is_transient=self._random.random() < 0.5)
        if self._random.random() < 0.05:
            raise KeyError(name)
        return ToolOutput(content=(ToolText(text=f"{self._random.randrange(3)} bones"),))


def replies(random: Random) -> Iterator[ScriptedReply]:
    """A model that says and calls whatever comes to its mind."""
    while True:
        fate = random.random()
        if fate < 0.05:
            yield ScriptedReply(refusal=GeneratorBusyError("Later.", retry_after_s=1.0))
        elif fate < 0.07:
            yield ScriptedReply(refusal=InvalidRequestError("No."))
        elif fate < 0.12:
            yield ScriptedReply(pieces=("Half ",), failure=GeneratorBusyError("Gone."))
        elif fate < 0.22:
            yield ScriptedReply.saying("I am done.")
        else:
            yield ScriptedReply(pieces=("So. ",), tool_calls=tuple(_call(random) for _ in range(random.randint(1, 3))))


def _call(random: Random) -> ScriptedToolCall:
    name = random.choice(["look", "dig", "write", "fetch", "fly", "ask_rat"])
    if random.random() < 0.05:
        return ScriptedToolCall(name=name, arguments=('{"cut": ',))
    return to(name, task="Look.") if name == "ask_rat" else to(name, n=random.randrange(3))


class Chaos:
    """One run from its beginning to its end, in as many processes as it takes."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.store = InMemoryAgentRunStore()
        self.made: Counter[tuple[str | None, str]] = Counter()
        self.clock = FakeClock(auto_advance=True)
        self.agent = AgentDefinition(
            name="mole",
            tools=("*",),
            sub_agents=("rat",),
            budgets=AgentBudgets(
                steps=random.randint(1, 8),
                tool_calls=random.randrange(8),
                tokens=random.choice([None, 300]),
                seconds=random.choice([None, 1000.0, 5.0]),
            ),
        )
        self.processes = 0

    async def run(self) -> AgentRunState:
        run_id = await self._bench().start(self.agent)
        while True:
            try:
                state = await self._in_one_process(run_id)
            except Crash:
                continue
            if state.finished is not None:
                return state

    async def _in_one_process(self, run_id: str) -> AgentRunState:
        self.processes += 1
        bench = self._bench()
        while True:
            state = await self._work(bench, run_id)
            if state.finished is not None:
                return state
            await self._decide(bench, run_id)
            if self.random.random() < 0.05:
                await bench.cancel(run_id)

    async def _work(self, bench: AgentBench, run_id: str) -> AgentRunState:
        """Works on the run, and sometimes ends it or gives up in the middle."""
        working = asyncio.create_task(bench.work(run_id))
        try:
            await self._disturb(bench, run_id, working)
        except Crash:
            working.cancel()
        await asyncio.wait([working])
        if working.cancelled():
            raise Crash
        return working.result()

    async def _disturb(self, bench: AgentBench, run_id: str, working: asyncio.Task[AgentRunState]) -> None:
        if self.random.random() < 0.8:
            return
        for _ in range(self.random.randrange(60)):
            await asyncio.sleep(0)
        if self.random.random() < 0.2:
            await bench.cancel(run_id)
        else:
            working.cancel()

    async def _decide(self, bench: AgentBench, run_id: str) -> None:
        """Decides on what this run and those below it wait for, as somebody would who does not think."""
        state = await bench.get_run(run_id, owner="me")
        for request in state.pending_approvals:
            decision = self.random.choice(list(ApprovalDecision))
            arguments = {"n": 7} if decision is ApprovalDecision.EDITED else None
            await bench.decide(run_id, request.call_id, decision, reason="So be it.", arguments=arguments)
        for call in state.open_calls:
            if call.sub_run_id is not None:
                await self._decide(bench, call.sub_run_id)

    def _bench(self) -> AgentBench:
        return AgentBench(
            script=replies(self.random),
            provider=RecordingTools(self.random, self.made),
            agents=[RAT],
            store=CrashingStore(self.store, self.random) if self.processes else self.store,
            clock=self.clock,
        )

    async def logs(self) -> list[list[AgentRunRecord]]:
        runs = await self.store.list_runs(owner=None, limit=1000)
        return [list(await self.store.read(run.run_id, owner=None)) for run in runs]


def require_sound(log: Sequence[AgentRunRecord], made: Mapping[tuple[str | None, str], int]) -> None:
    """Says what has to hold of every log."""
    state = fold(log)
    events = [record.event for record in log]
    assert [isinstance(event, AgentRunFinished) for event in events].count(True) == (state.finished is not None)
    turns = Counter(event.turn for event in events if isinstance(event, ModelTurnFinished))
    assert set(turns.values()) <= {1}
    results = Counter(event.call_id for event in events if isinstance(event, ToolFinished))
    assert set(results.values()) <= {1}
    _require_budgets(state)
    for call_id in state.calls:
        _require_permitted(events, state, call_id, made.get((state.started.run_id, call_id), 0))


def _require_budgets(state: AgentRunState) -> None:
    budgets, usage = state.started.agent.budgets, state.usage
    assert usage.steps <= budgets.steps
    assert usage.tool_calls <= budgets.tool_calls
    longest_step = 600
    assert budgets.tokens is None or usage.tokens <= budgets.tokens + longest_step


def _require_permitted(events: Sequence[Any], state: AgentRunState, call_id: str, made: int) -> None:
    """A call is made as often as the log says that it was begun at most, and begun as often as it may be."""
    own = [event for event in events if getattr(event, "call_id", None) == call_id]
    starts = sum(isinstance(event, ToolStarted) for event in own)
    idempotent = state.calls[call_id].name in ("look", "fetch", "ask_rat")
    granted = sum(isinstance(event, ApprovalGiven) and event.decision is not ApprovalDecision.DENIED for event in own)
    asked = [event.reason for event in own if isinstance(event, ApprovalRequested)]
    assert made <= starts * (3 if idempotent else 1)
    if not idempotent:
        assert starts <= granted + (ApprovalReason.POLICY not in asked and ApprovalReason.AFTER_UNTRUSTED not in asked)
    if state.calls[call_id].name == "write":
        assert starts <= granted


def as_text(log: Sequence[AgentRunRecord]) -> str:
    """Shows a log to whoever has to find out what went wrong."""
    return json.dumps([f"{record.sequence} {record.event!r}"[:200] for record in log], indent=1)


FINAL = {status for status in AgentRunStatus if status.is_final}
