"""What has become of an agent run: values, all of which follow from its log.

`cortex_domain.agent_run_fold` says how.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from cortex_domain.agent_run_events import (
    AgentRunFinished,
    AgentRunStarted,
    AgentRunStatus,
    AgentRunSummary,
    AgentRunUsage,
    ApprovalGiven,
    ApprovalRequested,
    BudgetKind,
    ModelTurnFinished,
)
from cortex_domain.tool_execution import ToolFinished


class AgentCallStatus(StrEnum):
    """How far a tool call is.

    REQUESTED: the model asked for it. WAITING_FOR_APPROVAL: somebody has to decide. APPROVED: somebody let it pass.
    DENIED: somebody did not, and the model is yet to be told. STARTED: it is being carried out. UNKNOWN: it was, and
    Cortex ended meanwhile. WAITING_FOR_SUB_RUN: the agent that was asked waits for a decision itself. SETTLED: it has a
    result.
    """

    REQUESTED = "requested"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    APPROVED = "approved"
    DENIED = "denied"
    STARTED = "started"
    UNKNOWN = "unknown"
    WAITING_FOR_SUB_RUN = "waiting_for_sub_run"
    SETTLED = "settled"

    @property
    def is_waiting(self) -> bool:
        """Whether it goes on only when a person has decided something."""
        return self in (AgentCallStatus.WAITING_FOR_APPROVAL, AgentCallStatus.WAITING_FOR_SUB_RUN)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCall:
    """A tool call of a run.

    Attributes:
        id: Names the call in its run.
        turn: The step that asked for it.
        name: The tool.
        written: Its arguments as the model wrote them.
        arguments: What the tool is told: the same, read, or what a person put in their place; empty when there is a
            problem.
        problem: What is wrong with it; None when nothing is.
        status: How far it is.
        has_begun: Whether it was begun at least once.
        approval: What a person is or was asked; None when nobody was.
        decision: What was decided then; None until it is.
        sub_run_id: The run of the agent that was asked; None for other tools.
        result: What came of it; None until it is settled.
    """

    id: str
    turn: int
    name: str
    written: str
    arguments: Mapping[str, Any] = field(hash=False)
    problem: str | None = None
    status: AgentCallStatus = AgentCallStatus.REQUESTED
    has_begun: bool = False
    approval: ApprovalRequested | None = None
    decision: ApprovalGiven | None = None
    sub_run_id: str | None = None
    result: ToolFinished | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it has a result."""
        return self.result is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTurn:
    """A step of the model.

    Attributes:
        number: Counts the steps, from 1.
        without_tools: Whether no tool could be used any more.
        reasoning: What the model thought.
        text: What it said.
        call_ids: The tool calls that it asks for, in order.
        finished: How it ended; None while it goes on.
    """

    number: int
    without_tools: bool = False
    reasoning: str = ""
    text: str = ""
    call_ids: tuple[str, ...] = ()
    finished: ModelTurnFinished | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunState:
    """A run as it stands after an event.

    Attributes:
        started: Whose it is, what agent and what task.
        turns: The steps of the model, in order; only the last one may be unfinished.
        calls: All tool calls by their ids, in order.
        shown_characters: Calls whose results the model sees in part, each with the characters that it sees.
        left_out_turns: Steps from the first to this one that the model does not see any more; 0 when it sees all.
        usage: What was used up so far.
        warnings: Budgets that were warned of.
        finished: How it ended; None while it has not.
        created_s: When it began, in seconds since the Unix epoch.
        updated_s: When its last event was written, likewise.
        last_sequence: Number of that event.
    """

    started: AgentRunStarted
    turns: tuple[AgentTurn, ...] = ()
    calls: Mapping[str, AgentCall] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    shown_characters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    left_out_turns: int = 0
    usage: AgentRunUsage = field(default_factory=AgentRunUsage)
    warnings: frozenset[BudgetKind] = frozenset()
    finished: AgentRunFinished | None = None
    created_s: float
    updated_s: float
    last_sequence: int = 1

    @property
    def status(self) -> AgentRunStatus:
        """How the run is."""
        if self.finished is not None:
            return self.finished.status
        waiting = [call.status.is_waiting for call in self.open_calls]
        is_waiting = bool(waiting) and all(waiting)
        return AgentRunStatus.WAITING_FOR_APPROVAL if is_waiting else AgentRunStatus.RUNNING

    @property
    def open_calls(self) -> tuple[AgentCall, ...]:
        """Calls of the last finished step that have no result yet, in order."""
        turn = self.last_turn
        if turn is None or turn.finished is None:
            return ()
        calls = (self.calls[call_id] for call_id in turn.call_ids)
        return tuple(call for call in calls if not call.is_settled)

    @property
    def pending_approvals(self) -> tuple[ApprovalRequested, ...]:
        """What somebody has to decide, in the order of the calls; nothing once the run is over."""
        if self.finished is not None:
            return ()
        waiting = (call for call in self.open_calls if call.status is AgentCallStatus.WAITING_FOR_APPROVAL)
        return tuple(call.approval for call in waiting if call.approval is not None)

    @property
    def last_turn(self) -> AgentTurn | None:
        """The step that was begun last; None before the first."""
        return self.turns[-1] if self.turns else None

    @property
    def finished_turns(self) -> tuple[AgentTurn, ...]:
        """The steps that are settled."""
        return tuple(turn for turn in self.turns if turn.finished is not None)

    def has_read_untrusted(self, *, before_turn: int) -> bool:
        """Tells whether the model had read what strangers wrote when it began a step."""
        return self.started.after_untrusted or any(
            not call.result.is_trusted
            for call in self.calls.values()
            if call.turn < before_turn and call.result is not None
        )

    @property
    def summary(self) -> AgentRunSummary:
        """What a list of runs tells of it."""
        return AgentRunSummary(
            run_id=self.started.run_id,
            owner=self.started.owner,
            agent=self.started.agent.name,
            task=self.started.task,
            status=self.status,
            parent_run_id=self.started.parent_run_id,
            created_s=self.created_s,
            updated_s=self.updated_s,
            last_sequence=self.last_sequence,
        )
