"""What an agent run has to do next: a pure function of what has become of it so far.

The order is the rule: an answer ends the run, then budgets do; calls that the model asked for are settled before it is
asked again; and a run waits only when nothing but a person's decision is left.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from cortex_domain.agent_repetition import STOPPED_AT, WARNED_AT, repetition
from cortex_domain.agent_run_events import (
    AgentRunStatus,
    ApprovalReason,
    ApprovalRequested,
    BudgetKind,
    BudgetWarning,
)
from cortex_domain.agent_run_state import AgentCall, AgentCallStatus, AgentRunState, AgentTurn
from cortex_domain.agent_toolbox import AgentToolbox
from cortex_domain.generation import FinishReason
from cortex_domain.tool_execution import ToolDescriptor, ToolError, ToolFinished
from cortex_domain.tool_policy import ToolPermission

WARNED_SHARE: Final = 0.8
"""The share of a budget that is used up when it is warned of."""
MOST_AT_ONCE: Final = 8
"""Calls that are begun together, however many a model asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclude:
    """The run is over; the attributes are those of `AgentRunFinished`."""

    status: AgentRunStatus
    reason: str | None = None
    message: str = ""
    answer: str = ""
    output: Any = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warn:
    """Budgets come near their end."""

    warnings: tuple[BudgetWarning, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Calls get a result without being begun."""

    results: tuple[ToolFinished, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A person has to decide on calls."""

    requests: tuple[ApprovalRequested, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseTools:
    """Calls are made, all of them at once."""

    calls: tuple[AgentCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAgent:
    """Another agent is asked, or goes on."""

    call: AgentCall
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginTurn:
    """The model is asked for its next step."""

    turn: int
    without_tools: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing can be done until a person has decided."""


AgentStep = Conclude | Warn | Settle | Ask | UseTools | AskAgent | BeginTurn | Wait


def next_step(state: AgentRunState, toolbox: AgentToolbox, /) -> AgentStep:
    """Tells what to do next in a run that has not ended."""
    return (
        _answer(state)
        or _warning(state, toolbox)
        or _exhaustion(state)
        or _for_open_calls(state, toolbox)
        or _next_turn(state, toolbox)
    )


def budget_exhausted(kind: BudgetKind, limit: float, /, *, answer: str = "") -> Conclude:
    """Builds the end of a run that has used up a budget."""
    message = f"The budget of {limit:g} {kind.value.replace('_', ' ')} is used up."
    return Conclude(status=AgentRunStatus.BUDGET_EXHAUSTED, reason=kind.value, message=message, answer=answer)


def _answer(state: AgentRunState) -> Conclude | None:
    turn = state.last_turn
    if turn is None or turn.finished is None or turn.call_ids or turn.finished.problem is not None:
        return None
    if turn.finished.finish_reason is FinishReason.CANCELLED:
        return budget_exhausted(BudgetKind.SECONDS, state.started.agent.budgets.seconds or 0.0, answer=turn.text)
    if state.started.agent.output is not None:
        return _structured_answer(state, turn)
    return _plain_answer(state, turn)


def _structured_answer(state: AgentRunState, turn: AgentTurn) -> Conclude:
    try:
        output = json.loads(turn.text)
    except (ValueError, RecursionError):
        return Conclude(
            status=AgentRunStatus.FAILED,
            reason="invalid_output",
            message="The answer is not the whole JSON that was asked for. Allow more max_tokens.",
            answer=turn.text,
        )
    exhausted = _early_end(state, turn)
    status, reason, message = exhausted or (AgentRunStatus.COMPLETED, None, "")
    return Conclude(status=status, reason=reason, message=message, answer=turn.text, output=output)


def _plain_answer(state: AgentRunState, turn: AgentTurn) -> Conclude:
    exhausted = _early_end(state, turn)
    if exhausted is not None:
        status, reason, message = exhausted
        return Conclude(status=status, reason=reason, message=message, answer=turn.text)
    is_cut = turn.finished is not None and turn.finished.finish_reason is FinishReason.LENGTH
    return Conclude(
        status=AgentRunStatus.COMPLETED,
        reason="length" if is_cut else None,
        message="The answer was cut at max_tokens." if is_cut else "",
        answer=turn.text,
    )


def _early_end(state: AgentRunState, turn: AgentTurn) -> tuple[AgentRunStatus, str, str] | None:
    """Tells the status, reason and message of an answer that was given because a budget ended; None otherwise."""
    budgets = state.started.agent.budgets
    if not turn.without_tools or budgets.tool_calls == 0:
        return None
    is_by_calls = state.usage.tool_calls >= budgets.tool_calls
    kind = BudgetKind.TOOL_CALLS if is_by_calls else BudgetKind.STEPS
    end = budget_exhausted(kind, budgets.tool_calls if is_by_calls else budgets.steps)
    return end.status, kind.value, end.message


def _warning(state: AgentRunState, toolbox: AgentToolbox) -> Warn | None:
    warnings = tuple(warning for warning in _due_warnings(state, toolbox) if warning.budget not in state.warnings)
    return Warn(warnings=warnings) if warnings else None


def _due_warnings(state: AgentRunState, toolbox: AgentToolbox) -> Iterator[BudgetWarning]:
    for kind, used, limit in _budgets(state):
        if limit is not None and limit > 1 and used >= ceil(limit * WARNED_SHARE):
            yield BudgetWarning(budget=kind, used=used, limit=limit)
    if any(_repetition(state, call, toolbox) >= WARNED_AT for call in state.open_calls):
        yield BudgetWarning(budget=BudgetKind.REPETITION, used=WARNED_AT, limit=STOPPED_AT)


def _budgets(state: AgentRunState) -> Iterator[tuple[BudgetKind, float, float | None]]:
    budgets, usage = state.started.agent.budgets, state.usage
    yield BudgetKind.STEPS, usage.steps, budgets.steps
    yield BudgetKind.TOOL_CALLS, usage.tool_calls, budgets.tool_calls
    yield BudgetKind.TOKENS, usage.tokens, budgets.tokens
    yield BudgetKind.SECONDS, usage.seconds, budgets.seconds


def _exhaustion(state: AgentRunState) -> Conclude | None:
    """Ends a run whose tokens or seconds are used up; with no more steps or calls there is an answer to be had."""
    for kind, used, limit in _budgets(state):
        if kind in (BudgetKind.TOKENS, BudgetKind.SECONDS) and limit is not None and used >= limit:
            return budget_exhausted(kind, limit)
    return None


def _for_open_calls(state: AgentRunState, toolbox: AgentToolbox) -> AgentStep | None:
    calls = state.open_calls
    if not calls:
        return None
    looping = next((call for call in calls if _is_looping(state, call, toolbox)), None)
    if looping is not None:
        return _loop_detected(looping)
    results = tuple(result for call in calls if (result := _result_without_use(state, call, toolbox)) is not None)
    if results:
        return Settle(results=results)
    requests = tuple(request for call in calls if (request := _request(state, call, toolbox)) is not None)
    if requests:
        return Ask(requests=requests)
    return _use(calls, toolbox, state) or Wait()


def _is_looping(state: AgentRunState, call: AgentCall, toolbox: AgentToolbox) -> bool:
    is_new = call.status is AgentCallStatus.REQUESTED
    return is_new and _repetition(state, call, toolbox) >= STOPPED_AT


def _repetition(state: AgentRunState, call: AgentCall, toolbox: AgentToolbox) -> int:
    return repetition(state, call, is_idempotent=toolbox.is_idempotent(call.name))


def _loop_detected(call: AgentCall) -> Conclude:
    return Conclude(
        status=AgentRunStatus.FAILED,
        reason="loop_detected",
        message=f"The model asked for the same use of {call.name!r} {STOPPED_AT} times.",
    )


def _result_without_use(state: AgentRunState, call: AgentCall, toolbox: AgentToolbox) -> ToolFinished | None:
    """Builds the result of a call that is not to be begun; None for others."""
    if call.status.is_waiting or call.status is AgentCallStatus.STARTED:
        return None
    error = _why_not(state, call, toolbox)
    if error is None:
        return None
    return ToolFinished(call_id=call.id, name=call.name, status="error", error=error, attempts=0)


def _why_not(state: AgentRunState, call: AgentCall, toolbox: AgentToolbox) -> ToolError | None:
    if call.problem is not None:
        return ToolError(code="invalid_arguments", message=f"This call was not made: {call.problem}")
    if call.status is AgentCallStatus.DENIED:
        return _denial(call)
    tool = toolbox.tools.get(call.name)
    if tool is None:
        names = ", ".join(sorted(toolbox.tools)) or "none"
        return ToolError(
            code="tool_not_found", message=f"There is no tool {call.name[:140]!r}. The tools are: {names}."
        )
    if toolbox.permission(tool, after_untrusted=False) is ToolPermission.DENY:
        return ToolError(code="tool_denied", message=f"The tool {call.name!r} may not be used here.")
    if not call.has_begun and _is_beyond_budgets(state, call, toolbox):
        return ToolError(code="budget_exhausted", message="No more tools may be used. Answer with what there is.")
    return None


def _denial(call: AgentCall) -> ToolError:
    reason = "" if call.decision is None else call.decision.reason
    if call.has_begun:
        message = f"This call was interrupted and is not repeated. {reason or 'What became of it is unknown.'}"
        return ToolError(code="unknown_outcome", message=message)
    return ToolError(code="denied", message=f"A person did not allow this. {reason}".strip())


def _is_beyond_budgets(state: AgentRunState, call: AgentCall, toolbox: AgentToolbox) -> bool:
    """Whether there is nothing left for a call; another agent takes a step at least, and one is needed to answer."""
    steps_left = state.started.agent.budgets.steps - state.usage.steps
    has_no_step = call.name in toolbox.sub_agents and steps_left < 2
    return (
        has_no_step or call.id in _over_budget(state) or (state.last_turn is not None and state.last_turn.without_tools)
    )


def _over_budget(state: AgentRunState) -> frozenset[str]:
    """The open calls that go beyond the budget, by their order."""
    room = max(0, state.started.agent.budgets.tool_calls - state.usage.tool_calls)
    fresh = [call.id for call in state.open_calls if not call.has_begun and call.problem is None]
    return frozenset(fresh[room:])


def _request(state: AgentRunState, call: AgentCall, toolbox: AgentToolbox) -> ApprovalRequested | None:
    tool = toolbox.tools.get(call.name)
    reason = None if tool is None else _reason_to_ask(state, call, tool, toolbox)
    if tool is None or reason is None:
        return None
    return ApprovalRequested(
        call_id=call.id, name=call.name, arguments=call.arguments, effects=tool.effects, reason=reason
    )


def _reason_to_ask(
    state: AgentRunState, call: AgentCall, tool: ToolDescriptor, toolbox: AgentToolbox
) -> ApprovalReason | None:
    if call.status is AgentCallStatus.UNKNOWN:
        return None if tool.is_idempotent else ApprovalReason.UNKNOWN_OUTCOME
    if call.status is not AgentCallStatus.REQUESTED:
        return None
    after_untrusted = state.has_read_untrusted(before_turn=call.turn)
    is_asked_for = toolbox.permission(tool, after_untrusted=after_untrusted) is ToolPermission.ASK
    return toolbox.reason_to_ask(tool) if is_asked_for else None


def _use(calls: tuple[AgentCall, ...], toolbox: AgentToolbox, state: AgentRunState) -> UseTools | AskAgent | None:
    """Takes the first calls that can be made: several that may run side by side, or one; other agents come last."""
    ready = [call for call in calls if not call.status.is_waiting]
    tools = [call for call in ready if call.name not in toolbox.sub_agents]
    if tools:
        return UseTools(calls=_beginning(tools, toolbox))
    is_asking = any(call.status is AgentCallStatus.WAITING_FOR_SUB_RUN for call in state.open_calls)
    if not ready or is_asking:
        return None
    return AskAgent(call=ready[0], agent=toolbox.sub_agents[ready[0].name])


def _beginning(calls: list[AgentCall], toolbox: AgentToolbox) -> tuple[AgentCall, ...]:
    together: list[AgentCall] = []
    for call in calls[:MOST_AT_ONCE]:
        if not toolbox.tools[call.name].is_concurrent:
            break
        together.append(call)
    return tuple(together or calls[:1])


def _next_turn(state: AgentRunState, toolbox: AgentToolbox) -> BeginTurn | Conclude:
    budgets, usage = state.started.agent.budgets, state.usage
    left = budgets.steps - usage.steps
    if left <= 0:
        return budget_exhausted(BudgetKind.STEPS, budgets.steps)
    is_last = left == 1 and budgets.steps > 1
    without_tools = bool(toolbox.tools) and (is_last or usage.tool_calls >= budgets.tool_calls)
    return BeginTurn(turn=len(state.finished_turns) + 1, without_tools=without_tools)
