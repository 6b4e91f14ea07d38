"""Adds up the log of an agent run, event by event, and raises at the first one that breaks the order.

A run is `run_started`, then steps, then `run_finished`. A step is `model_turn_started`, deltas, tool calls,
`model_turn_finished`; then each call has exactly one `tool_result`, before which it may be approved, begun and, when
the run was resumed, begun again. Another run's decisions and usage come with the call that asked for it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, assert_never

from cortex_domain.agent_run_events import (
    AgentReasoningDelta,
    AgentRunEvent,
    AgentRunFinished,
    AgentRunRecord,
    AgentRunResumed,
    AgentRunStarted,
    AgentRunStatus,
    AgentTextDelta,
    AgentToolCall,
    ApprovalDecision,
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
from cortex_domain.agent_run_state import AgentCall, AgentCallStatus, AgentRunState, AgentTurn
from cortex_domain.errors import ContractViolationError
from cortex_domain.tool_execution import ToolFinished, ToolProgress, ToolStarted

_RunEvent = AgentRunStarted | AgentRunResumed | BudgetWarning | ContextCompacted | AgentRunFinished
_TurnEvent = ModelTurnStarted | AgentReasoningDelta | AgentTextDelta | AgentToolCall | ModelTurnFinished
_CallEvent = (
    ApprovalRequested
    | ApprovalGiven
    | ToolStarted
    | ToolProgress
    | ToolFinished
    | SubRunStarted
    | SubRunWaiting
    | SubRunFinished
)

_Status = AgentCallStatus
_MAY_BE_ASKED_FOR = (_Status.REQUESTED, _Status.UNKNOWN)
_MAY_BEGIN = (_Status.REQUESTED, _Status.APPROVED, _Status.UNKNOWN)
_MAY_END = (*_MAY_BEGIN, _Status.DENIED, _Status.STARTED)


def fold(records: Iterable[AgentRunRecord], /) -> AgentRunState:
    """Adds up a log from its beginning.

    Raises:
        ContractViolationError: It is empty, or not the log of a run.
    """
    rest = iter(records)
    first = next(rest, None)
    if first is None:
        raise _violation("it is empty")
    state = begin(first)
    for record in rest:
        state = after(state, record)
    return state


def begin(record: AgentRunRecord, /) -> AgentRunState:
    """Takes the first event of a log.

    Raises:
        ContractViolationError: It is another one.
    """
    event = record.event
    if not isinstance(event, AgentRunStarted) or record.sequence != 1:
        raise _violation(f"it begins with {event.type!r} as number {record.sequence}")
    return AgentRunState(started=event, created_s=record.at_s, updated_s=record.at_s)


def after(state: AgentRunState, record: AgentRunRecord, /) -> AgentRunState:
    """Takes the next event of a log.

    Raises:
        ContractViolationError: It is out of place.
    """
    _require(state.finished is None, f"{record.event.type!r} came after 'run_finished'")
    expected = state.last_sequence + 1
    _require(record.sequence == expected, f"number {record.sequence} came where {expected} was due")
    timed = replace(
        state,
        usage=replace(state.usage, seconds=state.usage.seconds + _worked_s(state, record)),
        updated_s=max(state.updated_s, record.at_s),
        last_sequence=record.sequence,
    )
    return _with_event(timed, record.event)


def read_arguments(text: str, /) -> Mapping[str, Any] | None:
    """Reads the arguments that a model wrote; None when they are not the JSON text of an object in valid Unicode."""
    try:
        arguments = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _worked_s(state: AgentRunState, record: AgentRunRecord) -> float:
    """Nobody works on a run that waits, nor between what was there and `run_resumed`; clocks may be set back."""
    is_pause = isinstance(record.event, AgentRunResumed) or state.status is AgentRunStatus.WAITING_FOR_APPROVAL
    return 0.0 if is_pause else max(0.0, record.at_s - state.updated_s)


def _with_event(state: AgentRunState, event: AgentRunEvent) -> AgentRunState:
    if isinstance(event, _RunEvent):
        return _with_run_event(state, event)
    if isinstance(event, _TurnEvent):
        return _with_turn_event(state, event)
    changed = _with_changed_call(state, event)
    return _with_sub_usage(changed, event) if isinstance(event, SubRunFinished) else changed


def _with_run_event(state: AgentRunState, event: _RunEvent) -> AgentRunState:
    match event:
        case AgentRunStarted():
            raise _violation("'run_started' came twice")
        case AgentRunResumed():
            return _resumed(state)
        case BudgetWarning():
            return replace(state, warnings=state.warnings | {event.budget})
        case ContextCompacted():
            return _compacted(state, event)
        case AgentRunFinished():
            _require(event.status.is_final, f"'run_finished' ends as {event.status.value!r}")
            return replace(state, finished=event)
        case _:
            assert_never(event)


def _with_turn_event(state: AgentRunState, event: _TurnEvent) -> AgentRunState:
    match event:
        case ModelTurnStarted():
            return _with_begun_turn(state, event)
        case AgentReasoningDelta() | AgentTextDelta():
            return _with_delta(state, event)
        case AgentToolCall():
            return _with_call(state, event)
        case ModelTurnFinished():
            return _with_finished_turn(state, event)
        case _:
            assert_never(event)


def _resumed(state: AgentRunState) -> AgentRunState:
    """Nobody can tell what became of calls that had begun; those of other agents have logs of their own."""
    after_pause = {_Status.STARTED: _Status.UNKNOWN, _Status.WAITING_FOR_SUB_RUN: _Status.UNKNOWN}
    calls = {call.id: replace(call, status=after_pause.get(call.status, call.status)) for call in state.calls.values()}
    return replace(state, calls=MappingProxyType(calls))


def _with_begun_turn(state: AgentRunState, event: ModelTurnStarted) -> AgentRunState:
    settled = state.finished_turns
    _require(not state.open_calls, "a step began while calls of the one before had no result")
    _require(event.turn == len(settled) + 1, f"step {event.turn} began after step {len(settled)}")
    turn = AgentTurn(number=event.turn, without_tools=event.without_tools)
    kept = {call.id: call for call in state.calls.values() if call.turn < event.turn}
    return replace(state, turns=(*settled, turn), calls=MappingProxyType(kept))


def _with_delta(state: AgentRunState, event: AgentReasoningDelta | AgentTextDelta) -> AgentRunState:
    turn = _open_turn(state, event)
    if isinstance(event, AgentTextDelta):
        return _with_turn(state, replace(turn, text=turn.text + event.text))
    return _with_turn(state, replace(turn, reasoning=turn.reasoning + event.text))


def _with_call(state: AgentRunState, event: AgentToolCall) -> AgentRunState:
    turn = _open_turn(state, event)
    _require(event.call_id not in state.calls, f"the call {event.call_id!r} came twice")
    arguments = None if event.problem is not None else read_arguments(event.arguments)
    _require((arguments is None) == (event.problem is not None), f"the call {event.call_id!r} tells no problem")
    call = AgentCall(
        id=event.call_id,
        turn=event.turn,
        name=event.name,
        written=event.arguments,
        arguments=MappingProxyType(dict(arguments or {})),
        problem=event.problem,
    )
    return _with_turn(_with_one_call(state, call), replace(turn, call_ids=(*turn.call_ids, call.id)))


def _with_finished_turn(state: AgentRunState, event: ModelTurnFinished) -> AgentRunState:
    usage = replace(
        state.usage,
        steps=state.usage.steps + 1,
        prompt_tokens=state.usage.prompt_tokens + event.prompt_tokens,
        completion_tokens=state.usage.completion_tokens + event.completion_tokens,
    )
    return replace(_with_turn(state, replace(_open_turn(state, event), finished=event)), usage=usage)


def _with_changed_call(state: AgentRunState, event: _CallEvent) -> AgentRunState:
    call = next((call for call in state.open_calls if call.id == event.call_id), None)
    if call is None:
        raise _violation(f"{event.type!r} is of {event.call_id!r}, which is no open call")
    changed = _with_one_call(state, _changed(call, event))
    if isinstance(event, ToolStarted) and not call.has_begun:
        return replace(changed, usage=replace(state.usage, tool_calls=state.usage.tool_calls + 1))
    return changed


def _changed(call: AgentCall, event: _CallEvent) -> AgentCall:
    match event:
        case ApprovalRequested():
            _require_status(call, event, _MAY_BE_ASKED_FOR)
            return replace(call, status=_Status.WAITING_FOR_APPROVAL, approval=event, decision=None)
        case ApprovalGiven():
            _require_status(call, event, (_Status.WAITING_FOR_APPROVAL,))
            return _decided(call, event)
        case ToolStarted():
            _require_status(call, event, _MAY_BEGIN)
            return replace(call, status=_Status.STARTED, has_begun=True)
        case ToolFinished():
            _require_status(call, event, _MAY_END)
            return replace(call, status=_Status.SETTLED, result=event)
        case _:
            _require_status(call, event, (_Status.STARTED,))
            return _of_sub_run(call, event)


def _decided(call: AgentCall, event: ApprovalGiven) -> AgentCall:
    _require((event.arguments is not None) == (event.decision is ApprovalDecision.EDITED), "only edits have arguments")
    status = _Status.DENIED if event.decision is ApprovalDecision.DENIED else _Status.APPROVED
    arguments = call.arguments if event.arguments is None else MappingProxyType(dict(event.arguments))
    return replace(call, status=status, decision=event, arguments=arguments)


def _of_sub_run(call: AgentCall, event: ToolProgress | SubRunStarted | SubRunWaiting | SubRunFinished) -> AgentCall:
    match event:
        case SubRunStarted():
            return replace(call, sub_run_id=event.run_id)
        case SubRunWaiting():
            return replace(call, status=_Status.WAITING_FOR_SUB_RUN)
        case _:
            return call


def _with_sub_usage(state: AgentRunState, event: SubRunFinished) -> AgentRunState:
    usage, added = state.usage, event.usage
    return replace(
        state,
        usage=replace(
            usage,
            steps=usage.steps + added.steps,
            tool_calls=usage.tool_calls + added.tool_calls,
            prompt_tokens=usage.prompt_tokens + added.prompt_tokens,
            completion_tokens=usage.completion_tokens + added.completion_tokens,
        ),
    )


def _compacted(state: AgentRunState, event: ContextCompacted) -> AgentRunState:
    settled = {call.id for call in state.calls.values() if call.is_settled}
    _require(event.results.keys() <= settled, "a result was shortened that there is not")
    within = state.left_out_turns <= event.left_out_turns <= len(state.finished_turns)
    _require(within, "steps were left out that there are not, or came back")
    shown = MappingProxyType({**state.shown_characters, **event.results})
    return replace(state, shown_characters=shown, left_out_turns=event.left_out_turns)


def _open_turn(
    state: AgentRunState, event: AgentReasoningDelta | AgentTextDelta | AgentToolCall | ModelTurnFinished
) -> AgentTurn:
    turn = state.last_turn
    if turn is None or turn.finished is not None or turn.number != event.turn:
        raise _violation(f"{event.type!r} is of step {event.turn}, which is not open")
    return turn


def _with_turn(state: AgentRunState, turn: AgentTurn) -> AgentRunState:
    return replace(state, turns=(*state.turns[:-1], turn))


def _with_one_call(state: AgentRunState, call: AgentCall) -> AgentRunState:
    return replace(state, calls=MappingProxyType({**state.calls, call.id: call}))


def _require_status(call: AgentCall, event: _CallEvent, allowed: Iterable[AgentCallStatus]) -> None:
    _require(call.status in allowed, f"{event.type!r} came for a call that is {call.status.value}")


def _require(holds: bool, violation: str) -> None:
    if not holds:
        raise _violation(violation)


def _violation(violation: str) -> ContractViolationError:
    return ContractViolationError(f"This is not the log of an agent run: {violation}.")
