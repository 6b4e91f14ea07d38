"""`cortex agent`: run agents here, without a server."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase

import typer
from rich.console import Console
from rich.table import Table

from cortex_domain.agent_run_events import (
    AgentRunStatus,
    AgentRunSummary,
    ApprovalRequested,
    SubRunWaiting,
)
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import InvalidRequestError
from cortex_entrypoints.cli.approval_question import ask
from cortex_entrypoints.cli.outcome import FAILED
from cortex_entrypoints.cli.pull_display import pull_if_absent
from cortex_entrypoints.cli.run_display import RunDisplay
from cortex_entrypoints.cli.terminal_text import one_line
from cortex_entrypoints.container import open_cortex
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.settings import Settings

_LONGEST_TASK = 60
_RUNS_SHOWN = 50


async def list_agents(settings: Settings) -> None:
    """Prints one line an agent: a table for a terminal, values separated by tabs for a program.

    Raises:
        CortexError: Agents are switched off, or cannot be read.
    """
    _require_agents(settings)
    async with open_cortex(settings) as cortex:
        tools = {tool.name for tool in await cortex.tool_provider.list_tools()}
        rows = [_agent_row(agent, tools) for agent in await cortex.agent_registry.list_agents()]
    _print_rows(("AGENT", "TOOLS", "SWITCHED OFF", "DESCRIPTION"), rows)


async def list_runs(settings: Settings) -> None:
    """Prints one line a run, the newest first.

    Raises:
        CortexError: Agents are switched off, or the runs cannot be read.
    """
    _require_agents(settings)
    async with open_cortex(settings) as cortex:
        runs = await cortex.agent_runs.list_runs(owner=None, limit=_RUNS_SHOWN)
    _print_rows(("RUN", "AGENT", "STATE", "BEGUN", "TASK"), [_run_row(run) for run in runs])


async def run_agent(settings: Settings, *, name: str, task: str) -> None:
    """Runs an agent and shows its steps; asks the person at the terminal where one is asked.

    Raises:
        CortexError: Agents are switched off, there is no such agent, or its run cannot be written down.
        typer.Exit: The run has no whole answer, or waits for a person and none is there.
    """
    _require_agents(settings)
    async with open_cortex(settings) as cortex:
        agent = await cortex.agent_registry.get_agent(name)
        await pull_if_absent(cortex, agent.model or cortex.default_model)
        state = await cortex.agent_runs.begin(agent, task)
        await _accompany(cortex, state.started.run_id, after=0)


async def resume_run(settings: Settings, *, run_id: str) -> None:
    """Goes on with a run that was left, or that waits for a person.

    Raises:
        CortexError: Agents are switched off, or there is no such run.
        typer.Exit: As for `run_agent`.
    """
    _require_agents(settings)
    async with open_cortex(settings) as cortex:
        state = await cortex.agent_runs.get(run_id, owner=None)
        await pull_if_absent(cortex, state.started.agent.model or cortex.default_model)
        cortex.agent_runs.wake(run_id)
        # Of a run that is over, the last event says how.
        await _accompany(cortex, run_id, after=state.last_sequence - (state.finished is not None))


async def cancel_run(settings: Settings, *, run_id: str) -> None:
    """Ends a run.

    Raises:
        CortexError: Agents are switched off, or there is no such run.
    """
    _require_agents(settings)
    async with open_cortex(settings) as cortex:
        state = await cortex.agent_runs.cancel(run_id, owner=None)
    typer.echo(f"{run_id} is {state.status.value}.")


def _require_agents(settings: Settings) -> None:
    if not settings.enable_agents:
        raise InvalidRequestError("Agents are switched off. Set ENABLE_AGENTS=true.")


async def _accompany(cortex: Cortex, run_id: str, *, after: int) -> None:
    """Shows a run to its end, and asks about what it waits with; a person who leaves is told how to go on."""
    try:
        await _ask_about_pending(cortex, run_id)
        await _show(cortex, run_id, after)
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.secho(f"\ncortex: go on with: cortex agent resume {run_id}", err=True)
        raise
    state = await cortex.agent_runs.get(run_id, owner=None)
    if state.status is not AgentRunStatus.COMPLETED:
        raise typer.Exit(FAILED)


async def _show(cortex: Cortex, run_id: str, after: int) -> None:
    display = RunDisplay()
    async with cortex.agent_runs.follow(run_id, owner=None, after=after) as records:
        async for record in records:
            display.show(record.event)
            if isinstance(record.event, ApprovalRequested):
                await _ask_about_pending(cortex, run_id)
            if isinstance(record.event, SubRunWaiting):
                await _ask_about_pending(cortex, record.event.run_id)


async def _ask_about_pending(cortex: Cortex, run_id: str) -> None:
    """Asks about each call that waits now; what was asked for and decided since is not asked again."""
    state = await cortex.agent_runs.get(run_id, owner=None)
    for request in state.pending_approvals:
        _require_person(run_id)
        try:
            decision = ask(request)
        except EOFError:
            _leave_waiting(run_id)
        await cortex.agent_runs.decide(run_id, decision, owner=None)


def _require_person(run_id: str) -> None:
    if not sys.stdin.isatty():
        _leave_waiting(run_id)


def _leave_waiting(run_id: str) -> None:
    typer.secho(f"cortex: the run waits for a person. Go on with: cortex agent resume {run_id}", err=True)
    raise typer.Exit(FAILED)


def _agent_row(agent: AgentDefinition, tools: set[str]) -> tuple[str, ...]:
    missing = [pattern for pattern in agent.tools if not any(fnmatchcase(name, pattern) for name in tools)]
    return agent.name, ", ".join(agent.tools), ", ".join(missing), agent.description


def _run_row(run: AgentRunSummary) -> tuple[str, ...]:
    begun = datetime.fromtimestamp(run.created_s).astimezone().strftime("%Y-%m-%d %H:%M")
    return run.run_id, run.agent, run.status.value, begun, one_line(run.task, longest=_LONGEST_TASK)


def _print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not sys.stdout.isatty():
        typer.echo("\n".join("\t".join(row) for row in (columns, *rows)))
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
