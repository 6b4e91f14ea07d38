"""What happens in an agent run: one frozen class an event, told apart by `type`.

The events of a run, numbered, are its log, and the log is the run: `cortex_domain.agent_run_state` says what has become
of it. An event is in the log before anybody is told of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from cortex_domain.agents import AgentDefinition
from cortex_domain.generation import FinishReason
from cortex_domain.tool_execution import ToolEffect, ToolFinished, ToolProgress, ToolStarted


class AgentRunStatus(StrEnum):
    """How a run is.

    RUNNING: it goes on, now or when Cortex is started again. WAITING_FOR_APPROVAL: it goes on when somebody has
    decided. COMPLETED: it has an answer. FAILED: it cannot go on. CANCELLED: somebody ended it. BUDGET_EXHAUSTED: it
    used up what it may; it may have an answer nevertheless.
    """

    RUNNING = "running"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BUDGET_EXHAUSTED = "budget_exhausted"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self not in (AgentRunStatus.RUNNING, AgentRunStatus.WAITING_FOR_APPROVAL)


class ApprovalReason(StrEnum):
    """Why somebody is asked.

    POLICY: the policy asks for this tool or one of its effects. AFTER_UNTRUSTED: the model has read what strangers
    wrote, and they may have ordered this call. UNKNOWN_OUTCOME: the call was begun, and nobody knows whether it took
    place before Cortex ended.
    """

    POLICY = "policy"
    AFTER_UNTRUSTED = "after_untrusted"
    UNKNOWN_OUTCOME = "unknown_outcome"


class ApprovalDecision(StrEnum):
    """What was decided. APPROVED: it is done as asked. DENIED: it is not. EDITED: it is done with other arguments."""

    APPROVED = "approved"
    DENIED = "denied"
    EDITED = "edited"


class BudgetKind(StrEnum):
    """What a run runs out of; REPETITION is that of patience with the same call again and again."""

    STEPS = "steps"
    TOOL_CALLS = "tool_calls"
    TOKENS = "tokens"
    SECONDS = "seconds"
    REPETITION = "repetition"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunUsage:
    """What a run used up, those of the agents that it asked included.

    Attributes:
        steps: Answers of the model that are complete.
        tool_calls: Tool calls that were begun.
        prompt_tokens: Tokens read, in all steps together.
        completion_tokens: Tokens written, in all steps together.
        seconds: Time that was worked on it.
    """

    steps: int = 0
    tool_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunStarted:
    """The run exists; its first event.

    Attributes:
        run_id: Names the run.
        owner: On whose behalf; the empty owner is one like any other.
        agent: The definition that it keeps to.
        task: What it is asked to do.
        parent_run_id: The run whose agent asked for this one; None when a person or program did.
        depth: How many runs are above it.
        after_untrusted: Whether the task was written by a model that had read untrusted content.
    """

    type: Literal["run_started"] = "run_started"
    run_id: str
    owner: str = ""
    agent: AgentDefinition
    task: str
    parent_run_id: str | None = None
    depth: int = 0
    after_untrusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunResumed:
    """The run goes on after a pause, of whatever length.

    A step of the model that was interrupted begins anew. A tool call that was begun and has no result is unknown.
    """

    type: Literal["run_resumed"] = "run_resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTurnStarted:
    """The model is asked for the next step. The same turn again replaces what there was of it.

    Attributes:
        turn: Counts the steps, from 1.
        without_tools: Whether no tool may be used any more, because a budget ends.
    """

    type: Literal["model_turn_started"] = "model_turn_started"
    turn: int
    without_tools: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReasoningDelta:
    """The next piece of what the model thinks.

    Attributes:
        turn: The step.
        text: At least one character, to be appended.
    """

    type: Literal["reasoning_delta"] = "reasoning_delta"
    turn: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTextDelta:
    """The next piece of what the model says.

    Attributes:
        turn: The step.
        text: At least one character, to be appended.
    """

    type: Literal["text_delta"] = "text_delta"
    turn: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentToolCall:
    """The model wants a tool to be used; comes right before the `model_turn_finished` of its step.

    Attributes:
        turn: The step.
        call_id: Names the call in its run.
        name: The tool.
        arguments: JSON text of an object, as the model wrote it; anything else when there is a problem.
        problem: What is wrong with the call, which is not carried out then; None when nothing is.
    """

    type: Literal["tool_call"] = "tool_call"
    turn: int
    call_id: str
    name: str
    arguments: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTurnFinished:
    """A step of the model is settled: it is never repeated.

    Attributes:
        turn: The step.
        finish_reason: Why the answer ended.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        problem: Why this is no answer, though there is no call: one was begun and had not even a name. None otherwise.
    """

    type: Literal["model_turn_finished"] = "model_turn_finished"
    turn: int
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested:
    """A person has to decide on a call; it is not carried out until then.

    Attributes:
        call_id: The call.
        name: The tool.
        arguments: What it would be told.
        effects: What it may do.
        reason: Why somebody is asked.
    """

    type: Literal["approval_requested"] = "approval_requested"
    call_id: str
    name: str
    arguments: Mapping[str, Any] = field(hash=False)
    effects: frozenset[ToolEffect] = frozenset()
    reason: ApprovalReason = ApprovalReason.POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven:
    """Somebody has decided on a call.

    Attributes:
        call_id: The call.
        decision: What was decided.
        reason: Why, for the model; of a call of unknown outcome that is denied, what became of it. May be empty.
        arguments: What the tool is told instead; None unless they were edited.
        decided_by: Who; the empty owner is one like any other.
    """

    type: Literal["approval_given"] = "approval_given"
    call_id: str
    decision: ApprovalDecision
    reason: str = ""
    arguments: Mapping[str, Any] | None = field(default=None, hash=False)
    decided_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubRunStarted:
    """A call of another agent has a run of its own, and a log of its own.

    Attributes:
        call_id: The call.
        run_id: The other run.
        agent: Its agent.
    """

    type: Literal["sub_run_started"] = "sub_run_started"
    call_id: str
    run_id: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubRunWaiting:
    """Another run, that this one waits for, waits for somebody's decision.

    Attributes:
        call_id: The call.
        run_id: The other run, where the decision is to be given.
    """

    type: Literal["sub_run_waiting"] = "sub_run_waiting"
    call_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubRunFinished:
    """Another run is over; comes right before the `tool_result` of its call.

    Attributes:
        call_id: The call.
        run_id: The other run.
        status: How it ended.
        usage: What it used up, which counts towards this run's budgets.
    """

    type: Literal["sub_run_finished"] = "sub_run_finished"
    call_id: str
    run_id: str
    status: AgentRunStatus
    usage: AgentRunUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWarning:
    """The run comes near the end of a budget.

    Attributes:
        budget: Which one.
        used: How much is used up.
        limit: Where it ends.
    """

    type: Literal["budget_warning"] = "budget_warning"
    budget: BudgetKind
    used: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextCompacted:
    """The context became too long, and the model from now on sees less of it; the log still has all.

    Attributes:
        results: Calls whose results are shown in part, each with the number of characters that are kept.
        left_out_turns: Steps from the first to this one are not shown at all; 0 when all are.
    """

    type: Literal["context_compacted"] = "context_compacted"
    results: Mapping[str, int] = field(default_factory=dict, hash=False)
    left_out_turns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunFinished:
    """The run is over; nothing follows.

    Attributes:
        status: How it ended, one of the final ones.
        reason: Stable identifier in snake_case of why: what budget ran out, what failed; None when there is an answer
            and nothing else to say.
        message: The same as a sentence for people; may be empty.
        answer: What the agent says in the end; may be empty.
        output: The same as a JSON value, when its definition has an `output`; None otherwise.
        usage: What the run used up.
    """

    type: Literal["run_finished"] = "run_finished"
    status: AgentRunStatus
    reason: str | None = None
    message: str = ""
    answer: str = ""
    output: Any = field(default=None, hash=False)
    usage: AgentRunUsage


AgentRunEvent = (
    AgentRunStarted
    | AgentRunResumed
    | ModelTurnStarted
    | AgentReasoningDelta
    | AgentTextDelta
    | AgentToolCall
    | ModelTurnFinished
    | ApprovalRequested
    | ApprovalGiven
    | ToolStarted
    | ToolProgress
    | ToolFinished
    | SubRunStarted
    | SubRunWaiting
    | SubRunFinished
    | BudgetWarning
    | ContextCompacted
    | AgentRunFinished
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunRecord:
    """One entry of a run's log.

    Attributes:
        sequence: Its number in the log; the first is 1, each next one higher.
        at_s: When it was written, in seconds since the Unix epoch.
        event: What happened.
    """

    sequence: int
    at_s: float
    event: AgentRunEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunSummary:
    """What a list of runs tells of each.

    Attributes:
        run_id: Names the run.
        owner: Whose it is.
        agent: Name of its agent.
        task: What it is asked to do.
        status: How it is.
        parent_run_id: The run whose agent asked for it; None when a person or program did.
        created_s: When it was started, in seconds since the Unix epoch.
        updated_s: When its last event was written, likewise.
        last_sequence: Number of that event.
    """

    run_id: str
    owner: str
    agent: str
    task: str
    status: AgentRunStatus
    parent_run_id: str | None
    created_s: float
    updated_s: float
    last_sequence: int
