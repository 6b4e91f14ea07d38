"""An agent run as it is shown while it happens: steps on standard error, the answer on standard output."""

import json
import sys
from collections.abc import Iterator

import typer

from cortex_domain.agent_run_events import (
    AgentRunEvent,
    AgentRunFinished,
    AgentRunResumed,
    AgentRunStatus,
    AgentTextDelta,
    AgentToolCall,
    ApprovalDecision,
    ApprovalGiven,
    BudgetWarning,
    ContextCompacted,
    ModelTurnStarted,
    SubRunFinished,
    SubRunStarted,
)
from cortex_domain.tool_execution import ToolFinished, ToolProgress, ToolStarted
from cortex_domain.tool_result_text import result_part
from cortex_entrypoints.cli.terminal_text import one_line, printable

_LONGEST_LINE = 100
_DECISIONS = {
    ApprovalDecision.APPROVED: "approved",
    ApprovalDecision.DENIED: "denied",
    ApprovalDecision.EDITED: "approved with other arguments",
}


class RunDisplay:
    """Shows events one after the other. A person sees what is said as it is said, a program the answer alone."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._said = ""

    def show(self, event: AgentRunEvent, /) -> None:
        """Shows an event."""
        match event:
            case AgentTextDelta(text=text):
                self._say(text)
            case ModelTurnStarted():
                self._end_line()
            case AgentRunFinished():
                self._end(event)
            case _:
                for line in _lines(event):
                    self._step(line)

    def _say(self, text: str) -> None:
        self._said += text
        if self._is_terminal:
            sys.stdout.write(printable(text))
            sys.stdout.flush()

    def _end_line(self) -> None:
        if self._is_terminal and self._said:
            typer.echo()
        self._said = ""

    def _step(self, line: str) -> None:
        self._end_line()
        typer.secho(f"· {one_line(line, longest=_LONGEST_LINE)}", dim=True, err=True)

    def _end(self, end: AgentRunFinished) -> None:
        was_said = self._is_terminal and self._said == end.answer
        self._end_line()
        if end.answer and not was_said:
            typer.echo(printable(end.answer) if self._is_terminal else end.answer)
        if end.status is not AgentRunStatus.COMPLETED:
            why = end.message or end.reason or ""
            typer.secho(f"cortex: the run ended as {end.status.value}. {why}".rstrip(), fg=typer.colors.RED, err=True)


def _lines(event: AgentRunEvent) -> Iterator[str]:
    """Says what a step is; nothing of what is shown otherwise, or not at all."""
    match event:
        case ToolStarted() | ToolProgress() | ToolFinished() | AgentToolCall():
            yield from _lines_of_tool(event)
        case ApprovalGiven():
            yield f"{_DECISIONS[event.decision]}{f': {event.reason}' if event.reason else ''}"
        case SubRunStarted(agent=agent):
            yield f"{agent} begins"
        case SubRunFinished(status=status):
            yield f"  it is {status.value}"
        case BudgetWarning():
            yield f"{event.used:g} of {event.limit:g} {event.budget.value} are used up"
        case ContextCompacted():
            yield "the context became too long: the model is shown less of older results"
        case AgentRunResumed():
            yield "goes on"
        case _:
            pass


def _lines_of_tool(event: ToolStarted | ToolProgress | ToolFinished | AgentToolCall) -> Iterator[str]:
    match event:
        case ToolStarted():
            yield f"{event.name} {json.dumps(dict(event.arguments), ensure_ascii=False)}"
        case ToolProgress():
            yield f"{event.message}"
        case ToolFinished():
            yield f"{event.status}: {result_part(event).text}"
        case AgentToolCall(problem=str() as problem):
            yield f"{event.name} could not be called: {problem}"
        case AgentToolCall():
            pass
