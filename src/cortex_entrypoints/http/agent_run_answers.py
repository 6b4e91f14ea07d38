"""Agent runs as clients of the API read them."""

from typing import Any, Self

from pydantic import BaseModel, Field

from cortex_domain.agent_run_events import (
    AgentRunStatus,
    AgentRunSummary,
    AgentRunUsage,
    ApprovalReason,
    ApprovalRequested,
)
from cortex_domain.agent_run_state import AgentCallStatus, AgentRunState
from cortex_domain.tool_execution import ToolEffect


class PendingApproval(BaseModel):
    """A call that a person has to decide on."""

    call_id: str
    name: str = Field(description="The tool.")
    arguments: dict[str, Any] = Field(description="What it would be told.")
    effects: list[ToolEffect] = Field(description="What it may do.")
    reason: ApprovalReason = Field(
        description="`policy`: it asks for this tool. `after_untrusted`: strangers may have ordered the call. "
        "`unknown_outcome`: the call was begun, and nobody knows whether it took place."
    )

    @classmethod
    def of(cls, request: ApprovalRequested) -> Self:
        """Builds the body of a request."""
        return cls(
            call_id=request.call_id,
            name=request.name,
            arguments=dict(request.arguments),
            effects=sorted(request.effects),
            reason=request.reason,
        )


class AgentRunOutline(BaseModel):
    """What a list tells of a run."""

    id: str
    agent: str
    task: str
    state: AgentRunStatus
    owner: str
    parent_run_id: str | None = Field(description="The run whose agent asked for this one; null for others.")
    created_s: float = Field(description="Seconds since the Unix epoch.")
    updated_s: float = Field(description="When its last event was, likewise.")
    last_event_id: int = Field(description="Number of that event.")

    @classmethod
    def of(cls, summary: AgentRunSummary) -> Self:
        """Builds the outline of a run."""
        return cls(**outline_fields(summary))


class AgentRunList(BaseModel):
    """A page of runs, the one that was begun last first."""

    runs: list[AgentRunOutline]
    has_more: bool = Field(description="Whether there are older ones: `before` the last of these.")


class AgentRunAnswer(AgentRunOutline):
    """A run as it is."""

    pending_approvals: list[PendingApproval] = Field(description="What it waits for, if it does.")
    waiting_for_runs: list[str] = Field(description="Runs of agents that it asked, which wait for a person themselves.")
    answer: str | None = Field(description="What the agent said in the end; null until then.")
    output: Any = Field(description="The same as a JSON value, when a schema was asked for.")
    reason: str | None = Field(description="Why it ended, when it has no answer or not a whole one.")
    message: str | None = Field(description="The same as a sentence.")
    usage: AgentRunUsage

    @classmethod
    def of_state(cls, state: AgentRunState) -> Self:
        """Builds the body of a run."""
        end = state.finished
        return cls(
            **outline_fields(state.summary),
            pending_approvals=[PendingApproval.of(request) for request in state.pending_approvals],
            waiting_for_runs=_waiting_for(state),
            answer=None if end is None else end.answer,
            output=None if end is None else end.output,
            reason=None if end is None else end.reason,
            message=(end.message or None) if end is not None else None,
            usage=state.usage,
        )


def outline_fields(summary: AgentRunSummary) -> dict[str, Any]:
    """Names the facts of a run as clients know them."""
    return {
        "id": summary.run_id,
        "agent": summary.agent,
        "task": summary.task,
        "state": summary.status,
        "owner": summary.owner,
        "parent_run_id": summary.parent_run_id,
        "created_s": summary.created_s,
        "updated_s": summary.updated_s,
        "last_event_id": summary.last_sequence,
    }


def _waiting_for(state: AgentRunState) -> list[str]:
    waiting = (call for call in state.open_calls if call.status is AgentCallStatus.WAITING_FOR_SUB_RUN)
    return [call.sub_run_id for call in waiting if call.sub_run_id is not None]
