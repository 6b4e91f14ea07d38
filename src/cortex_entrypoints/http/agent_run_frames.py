"""Events of agent runs, as server-sent events and as messages of a WebSocket. Pure."""

from typing import Any, Final, Literal, Self

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json

from cortex_domain.agent_run_events import (
    AgentReasoningDelta,
    AgentRunEvent,
    AgentRunFinished,
    AgentRunRecord,
    AgentRunResumed,
    AgentRunStarted,
    AgentTextDelta,
    AgentToolCall,
    ApprovalGiven,
    ApprovalRequested,
    BudgetWarning,
    ContextCompacted,
    ModelTurnFinished,
    ModelTurnStarted,
    SubRunFinished,
    SubRunStarted,
    SubRunWaiting,
)
from cortex_domain.tool_execution import ToolFinished, ToolProgress, ToolStarted
from cortex_entrypoints.http.agent_bodies import AgentBody
from cortex_entrypoints.http.response_bodies import ErrorEvent
from cortex_entrypoints.http.tool_events import ToolResultEvent


class RunStartedEvent(BaseModel):
    """The run exists; its first event."""

    type: Literal["run_started"] = "run_started"
    run_id: str
    owner: str
    agent: AgentBody
    task: str
    parent_run_id: str | None
    depth: int
    after_untrusted: bool

    @classmethod
    def of_started(cls, started: AgentRunStarted, /) -> Self:
        """Builds the event."""
        return cls(
            run_id=started.run_id,
            owner=started.owner,
            agent=AgentBody.of_domain(started.agent),
            task=started.task,
            parent_run_id=started.parent_run_id,
            depth=started.depth,
            after_untrusted=started.after_untrusted,
        )


AgentRunStreamEvent = (
    RunStartedEvent
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
    | ToolResultEvent
    | SubRunStarted
    | SubRunWaiting
    | SubRunFinished
    | BudgetWarning
    | ContextCompacted
    | AgentRunFinished
)
"""What clients see of a run; each with its number and time besides."""

_EVENT: Final[TypeAdapter[AgentRunStreamEvent]] = TypeAdapter(AgentRunStreamEvent)


def record_fields(record: AgentRunRecord, /) -> dict[str, Any]:
    """Writes a record as the fields of a JSON object."""
    # The mappings of domain values are read-only ones, which pydantic does not know.
    event = _on_the_wire(record.event)
    fields: dict[str, Any] = _EVENT.dump_python(event, mode="json", fallback=dict, warnings=False)
    return {**fields, "sequence": record.sequence, "at_s": record.at_s}


def record_frame(record: AgentRunRecord, /) -> bytes:
    """Writes a record as one server-sent event, whose id is the record's number."""
    fields = record_fields(record)
    return b"event: %b\nid: %d\ndata: %b\n\n" % (record.event.type.encode(), record.sequence, to_json(fields))


def error_frame(error: ErrorEvent, /) -> bytes:
    """Writes an error, which has no number because it is not of the run's log."""
    return b"event: error\ndata: %b\n\n" % error.model_dump_json().encode()


def _on_the_wire(event: AgentRunEvent) -> AgentRunStreamEvent:
    match event:
        case AgentRunStarted():
            return RunStartedEvent.of_started(event)
        case ToolFinished():
            return ToolResultEvent.of_finished(event)
        case _:
            return event
