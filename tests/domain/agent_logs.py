"""Writes logs of agent runs for tests."""

from cortex_domain.agent_run_events import (
    AgentRunEvent,
    AgentRunFinished,
    AgentRunRecord,
    AgentRunStarted,
    AgentRunStatus,
    AgentRunUsage,
    AgentToolCall,
    ModelTurnFinished,
    ModelTurnStarted,
)
from cortex_domain.agent_run_fold import fold
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.agents import AgentDefinition
from cortex_domain.generation import FinishReason
from cortex_domain.tool_execution import ToolFinished, ToolStarted, ToolText

MOLE = AgentDefinition(name="mole", tools=("*",))
STARTED = AgentRunStarted(run_id="run_1", owner="me", agent=MOLE, task="Dig.")


def log_of(*events: AgentRunEvent, started: AgentRunStarted = STARTED, step_s: float = 1.0) -> list[AgentRunRecord]:
    """Numbers events, one a step of time, after the first one of a run."""
    return [
        AgentRunRecord(sequence=number, at_s=100.0 + number * step_s, event=event)
        for number, event in enumerate((started, *events), start=1)
    ]


def state_of(*events: AgentRunEvent, started: AgentRunStarted = STARTED) -> AgentRunState:
    return fold(log_of(*events, started=started))


def turn_of(
    *calls: AgentToolCall, turn: int = 1, prompt_tokens: int = 10, completion_tokens: int = 5
) -> tuple[AgentRunEvent, ...]:
    """A whole step of the model that asks for these calls, or for none."""
    finished = ModelTurnFinished(
        turn=turn,
        finish_reason=FinishReason.TOOL_CALLS if calls else FinishReason.STOP,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )
    return (ModelTurnStarted(turn=turn), *calls, finished)


def call_of(name: str = "dig", *, turn: int = 1, index: int = 1, arguments: str = "{}") -> AgentToolCall:
    return AgentToolCall(turn=turn, call_id=f"call_{turn}_{index}", name=name, arguments=arguments)


def start_of(call: AgentToolCall) -> ToolStarted:
    return ToolStarted(call_id=call.call_id, name=call.name, arguments={})


def result_of(call: AgentToolCall, text: str = "earth", *, is_trusted: bool = True) -> ToolFinished:
    return ToolFinished(
        call_id=call.call_id, name=call.name, status="ok", content=(ToolText(text=text),), is_trusted=is_trusted
    )


def end_of(status: AgentRunStatus = AgentRunStatus.COMPLETED) -> AgentRunFinished:
    return AgentRunFinished(status=status, usage=AgentRunUsage())
