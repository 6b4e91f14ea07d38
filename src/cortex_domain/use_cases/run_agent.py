"""Use case: work on an agent run until it is over, or until a person has to decide."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import assert_never

from cortex_domain.agent_run_events import (
    AgentRunFinished,
    AgentRunResumed,
    AgentRunStarted,
    AgentRunStatus,
    BudgetKind,
    SubRunFinished,
    SubRunStarted,
    SubRunWaiting,
)
from cortex_domain.agent_run_fold import fold
from cortex_domain.agent_run_log import AgentRunLog, AgentRunOverError, Tell
from cortex_domain.agent_run_state import AgentCall, AgentCallStatus, AgentRunState
from cortex_domain.agent_steps import (
    Ask,
    AskAgent,
    BeginTurn,
    Conclude,
    Settle,
    UseTools,
    Wait,
    Warn,
    budget_exhausted,
    next_step,
)
from cortex_domain.agent_toolbox import AgentToolbox
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import (
    AgentNotFoundError,
    AgentRunBusyError,
    AgentRunConflictError,
    DeadlineExceededError,
    InvalidAgentError,
    ResourceUnavailableError,
)
from cortex_domain.ports import AgentCatalog, AgentRunStore, Clock, ToolProvider
from cortex_domain.tool_execution import (
    ToolCall,
    ToolError,
    ToolEvent,
    ToolFinished,
    ToolJson,
    ToolProgress,
    ToolStarted,
    ToolText,
)
from cortex_domain.tool_plan import ToolTerms
from cortex_domain.tool_policy import ToolPolicy
from cortex_domain.use_cases.take_model_turn import ModelFailedError, TakeModelTurn

ExecuteToolsCall = Callable[[Sequence[ToolCall], ToolTerms], AbstractAsyncContextManager[AsyncIterator[ToolEvent]]]
"""The use case `ExecuteTools`, or something around it that keeps its promises."""


class RunAgent:
    """Does one step after the other, as `cortex_domain.agent_steps` says.

    Whatever happens is in the store before it is told to anybody, and a tool begins only when the store has it that it
    does. So a run that is cut at any moment, by a cancellation or by the end of the program, goes on from there when it
    is worked on again.

    Args:
        store: Keeps the runs.
        take_model_turn: Has the model take a step.
        execute_tools: Makes tool calls.
        provider: Offers the tools.
        catalog: Knows the agents that an agent may ask.
        clock: Tells the time.
        policies: What decides on the use of tools, besides each agent's own policy.
    """

    def __init__(
        self,
        *,
        store: AgentRunStore,
        take_model_turn: TakeModelTurn,
        execute_tools: ExecuteToolsCall,
        provider: ToolProvider,
        catalog: AgentCatalog,
        clock: Clock,
        policies: Sequence[ToolPolicy] = (),
    ) -> None:
        self._store = store
        self._take_model_turn = take_model_turn
        self._execute_tools = execute_tools
        self._provider = provider
        self._catalog = catalog
        self._clock = clock
        self._policies = tuple(policies)

    async def __call__(self, run_id: str, /, *, tell: Tell) -> AgentRunState:
        """Works on a run, alone.

        Args:
            run_id: The run.
            tell: Is told of each new record, also of the runs of agents that are asked.

        Returns:
            The run as it is then: over, or waiting for a person.

        Raises:
            AgentRunNotFoundError: There is no such run.
            AgentRunBusyError: Somebody works on it.
            ShuttingDownError: Cortex stops; the run goes on when it is worked on again.
            StorageError: The log cannot be read or written; likewise.
        """
        async with self._store.claim(run_id):
            log = await AgentRunLog.open(run_id, store=self._store, clock=self._clock, tell=tell)
            try:
                await self._work(log, tell)
            except AgentRunOverError:
                return log.state
            except ResourceUnavailableError:
                raise
            except Exception:
                await _finish(log, Conclude(status=AgentRunStatus.FAILED, reason="internal_error", message=_BUG))
                raise
            return log.state

    async def _work(self, log: AgentRunLog, tell: Tell) -> None:
        if not _can_go_on(log.state):
            return
        if log.state.last_sequence > 1:
            await log.append(AgentRunResumed())
        while await self._do_next(log, tell):
            pass

    async def _do_next(self, log: AgentRunLog, tell: Tell) -> bool:
        """Does what is next, and tells whether there is more to do."""
        toolbox = await self._toolbox(log.state)
        step = next_step(log.state, toolbox)
        match step:
            case Conclude():
                await _finish(log, step)
                return False
            case Wait():
                return await _has_news(log)
            case Warn():
                await log.append(*step.warnings)
            case Settle():
                await log.append(*step.results)
            case Ask():
                await log.append(*step.requests)
            case UseTools():
                await self._use_tools(log, step.calls, toolbox)
            case AskAgent():
                await self._ask_agent(log, step.call, step.agent, tell)
            case BeginTurn():
                return await self._take_turn(log, step, toolbox)
            case _:
                assert_never(step)
        return True

    async def _toolbox(self, state: AgentRunState) -> AgentToolbox:
        agent = state.started.agent
        tools = await self._provider.list_tools() if agent.tools else ()
        others = [other for name in agent.sub_agents if (other := await self._find(name)) is not None]
        return AgentToolbox.of(agent, tools, others, self._policies, depth=state.started.depth)

    async def _find(self, name: str) -> AgentDefinition | None:
        try:
            return await self._catalog.get_agent(name)
        except (AgentNotFoundError, InvalidAgentError):
            return None

    async def _take_turn(self, log: AgentRunLog, turn: BeginTurn, toolbox: AgentToolbox) -> bool:
        try:
            await self._take_model_turn(log, turn, toolbox)
        except ModelFailedError as failure:
            await _finish(log, _end_of(failure, log.state))
            return False
        return True

    async def _use_tools(self, log: AgentRunLog, calls: Sequence[AgentCall], toolbox: AgentToolbox) -> None:
        await log.append(*(ToolStarted(call_id=call.id, name=call.name, arguments=call.arguments) for call in calls))
        wanted = [ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in calls]
        async with self._execute_tools(wanted, self._terms(log.state, calls, toolbox)) as events:
            async for event in events:
                if isinstance(event, ToolProgress | ToolFinished):
                    await log.append(event)

    def _terms(self, state: AgentRunState, calls: Sequence[AgentCall], toolbox: AgentToolbox) -> ToolTerms:
        """What is left to decide is decided already: these calls are allowed, or were approved."""
        seconds = state.started.agent.budgets.seconds
        left_s = None if seconds is None else max(0.0, seconds - state.usage.seconds)
        return ToolTerms(
            policies=toolbox.policies,
            after_untrusted=state.has_read_untrusted(before_turn=len(state.turns) + 1),
            approved=frozenset(call.id for call in calls),
            owner=state.started.owner,
            run_id=state.started.run_id,
            deadline_s=None if left_s is None else self._clock.monotonic_s() + left_s,
            companions=frozenset(toolbox.tools),
        )

    async def _ask_agent(self, log: AgentRunLog, call: AgentCall, agent: str, tell: Tell) -> None:
        """Has another run do a task. Its id follows from the call, so that it is found again after a restart."""
        run_id = f"{log.state.started.run_id}_{call.id}"
        await log.append(
            ToolStarted(call_id=call.id, name=call.name, arguments=call.arguments),
            SubRunStarted(call_id=call.id, run_id=run_id, agent=agent),
        )
        task = call.arguments.get("task")
        if not isinstance(task, str) or not task:
            error = ToolError(code="invalid_arguments", message="Say in 'task' what the agent has to do, as a text.")
            await log.append(ToolFinished(call_id=call.id, name=call.name, status="error", error=error))
            return
        definition = _within_what_is_left(await self._catalog.get_agent(agent), log.state)
        await self._begin_sub_run(_sub_run_started(log.state, call, run_id, definition, task), tell)
        await _take_sub_run(log, call, await self._sub_run(run_id, tell))

    async def _sub_run(self, run_id: str, tell: Tell) -> AgentRunState:
        """Works on another run, unless somebody does already; then it is as good as waiting."""
        try:
            return await self(run_id, tell=tell)
        except AgentRunBusyError:
            return fold(await self._store.read(run_id, owner=None))

    async def _begin_sub_run(self, started: AgentRunStarted, tell: Tell) -> None:
        try:
            await AgentRunLog.begin(started, store=self._store, clock=self._clock, tell=tell)
        except AgentRunConflictError:
            return  # it was begun before a pause, and goes on


_BUG = "Something in Cortex went wrong that should not. The server's log says what."


def _can_go_on(state: AgentRunState) -> bool:
    """Whether there is anything to do: also a look at the run of another agent that had to wait."""
    waits_for_others = any(call.status is AgentCallStatus.WAITING_FOR_SUB_RUN for call in state.open_calls)
    return state.status is AgentRunStatus.RUNNING or (state.finished is None and waits_for_others)


async def _has_news(log: AgentRunLog) -> bool:
    """Looks for a decision that came while there was nothing left to do."""
    known = log.state.last_sequence
    await log.refresh()
    return log.state.finished is None and log.state.last_sequence > known


async def _finish(log: AgentRunLog, end: Conclude) -> None:
    await log.append(
        AgentRunFinished(
            status=end.status,
            reason=end.reason,
            message=end.message,
            answer=end.answer,
            output=end.output,
            usage=log.state.usage,
        )
    )


def _end_of(failure: ModelFailedError, state: AgentRunState) -> Conclude:
    seconds = state.started.agent.budgets.seconds
    if isinstance(failure.error, DeadlineExceededError) and seconds is not None:
        return budget_exhausted(BudgetKind.SECONDS, seconds)
    return Conclude(status=AgentRunStatus.FAILED, reason=failure.error.code, message=failure.error.message)


def _sub_run_started(
    parent: AgentRunState, call: AgentCall, run_id: str, agent: AgentDefinition, task: str
) -> AgentRunStarted:
    return AgentRunStarted(
        run_id=run_id,
        owner=parent.started.owner,
        agent=agent,
        task=task,
        parent_run_id=parent.started.run_id,
        depth=parent.started.depth + 1,
        after_untrusted=parent.has_read_untrusted(before_turn=call.turn),
    )


def _within_what_is_left(agent: AgentDefinition, parent: AgentRunState) -> AgentDefinition:
    """Leaves to the parent a step to answer with, and the calls that wait beside this one."""
    budgets, usage = parent.started.agent.budgets, parent.usage
    beside = sum(not call.has_begun for call in parent.open_calls)
    return agent.within(
        steps=budgets.steps - usage.steps - 1,
        tool_calls=budgets.tool_calls - usage.tool_calls - beside,
        tokens=None if budgets.tokens is None else max(1, budgets.tokens - usage.tokens),
        seconds=None if budgets.seconds is None else max(0.001, budgets.seconds - usage.seconds),
    )


async def _take_sub_run(log: AgentRunLog, call: AgentCall, sub: AgentRunState) -> None:
    run_id = sub.started.run_id
    if sub.finished is None:
        await log.append(SubRunWaiting(call_id=call.id, run_id=run_id))
        return
    end = SubRunFinished(call_id=call.id, run_id=run_id, status=sub.status, usage=sub.finished.usage)
    await log.append(end, _sub_result(call, sub, sub.finished))


def _sub_result(call: AgentCall, sub: AgentRunState, end: AgentRunFinished) -> ToolFinished:
    is_whole = end.status is AgentRunStatus.COMPLETED
    answer = ToolJson(value=end.output) if end.output is not None else ToolText(text=end.answer)
    error = ToolError(code=end.reason or end.status.value, message=end.message or f"The agent {end.status.value}.")
    return ToolFinished(
        call_id=call.id,
        name=call.name,
        status="ok" if is_whole else "error",
        content=(answer,) if is_whole or end.answer else (),
        error=None if is_whole else error,
        is_trusted=not sub.has_read_untrusted(before_turn=len(sub.turns) + 1),
    )
