from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.agent_run_events import (
    AgentReasoningDelta,
    AgentRunEvent,
    AgentRunRecord,
    AgentRunResumed,
    AgentRunStatus,
    AgentRunSummary,
    AgentRunUsage,
    AgentTextDelta,
    ApprovalDecision,
    ApprovalGiven,
    ApprovalRequested,
    BudgetKind,
    BudgetWarning,
    ContextCompacted,
    ModelTurnStarted,
    SubRunFinished,
    SubRunStarted,
    SubRunWaiting,
)
from cortex_domain.agent_run_fold import after, fold, read_arguments
from cortex_domain.agent_run_state import AgentCallStatus
from cortex_domain.errors import ContractViolationError
from cortex_domain.tool_execution import ToolProgress
from tests.domain.agent_logs import STARTED, call_of, end_of, log_of, result_of, start_of, state_of, turn_of

CALL = call_of(arguments='{"depth": 3}')
OTHER = call_of("measure", index=2)
ASKED = ApprovalRequested(call_id=CALL.call_id, name="dig", arguments={"depth": 3})
TURN = turn_of(CALL)


def _given(decision: ApprovalDecision, **facts: object) -> ApprovalGiven:
    return replace(ApprovalGiven(call_id=CALL.call_id, decision=decision), **facts)  # type: ignore[arg-type]


def test_a_run_that_has_begun() -> None:
    state = state_of()
    assert (state.status, state.last_turn, state.open_calls) == (AgentRunStatus.RUNNING, None, ())
    assert state.summary == AgentRunSummary(
        run_id="run_1",
        owner="me",
        agent="mole",
        task="Dig.",
        status=AgentRunStatus.RUNNING,
        parent_run_id=None,
        created_s=101.0,
        updated_s=101.0,
        last_sequence=1,
    )


def test_a_step_adds_up() -> None:
    begun = (
        ModelTurnStarted(turn=1),
        AgentReasoningDelta(turn=1, text="Hm"),
        AgentReasoningDelta(turn=1, text="."),
        AgentTextDelta(turn=1, text="I d"),
        AgentTextDelta(turn=1, text="ig."),
    )
    state = state_of(*begun)
    assert not state.finished_turns
    assert not state.open_calls
    state = state_of(*begun, *turn_of(CALL, OTHER)[1:])
    [turn] = state.finished_turns
    assert (turn.reasoning, turn.text, turn.call_ids) == ("Hm.", "I dig.", ("call_1_1", "call_1_2"))
    assert state.usage == AgentRunUsage(steps=1, prompt_tokens=10, completion_tokens=5, seconds=8.0)
    assert [call.arguments for call in state.open_calls] == [{"depth": 3}, {}]


def test_a_step_that_begins_anew_replaces_what_there_was_of_it() -> None:
    cut = (ModelTurnStarted(turn=1), AgentTextDelta(turn=1, text="I would"), CALL)
    state = state_of(*cut, AgentRunResumed(), *TURN)
    assert (state.turns[0].text, state.turns[0].call_ids, list(state.calls)) == ("", (CALL.call_id,), [CALL.call_id])


def test_time_is_counted_while_the_run_is_worked_on() -> None:
    times = {1: 0.0, 2: 1.0, 3: 3.0, 4: 2.0, 5: 2.5, 6: 100.0, 7: 200.0, 8: 201.0}
    events = (*TURN, ASKED, _given(ApprovalDecision.APPROVED), AgentRunResumed(), start_of(CALL))
    timed = [replace(record, at_s=times[record.sequence]) for record in log_of(*events)]
    assert [record.event.type for record in timed][3:6] == [
        "model_turn_finished",
        "approval_requested",
        "approval_given",
    ]
    assert fold(timed).usage.seconds == pytest.approx(1.0 + 2.0 + 0.0 + 0.0 + 1.0)


@pytest.mark.parametrize(
    ("decision", "status", "arguments"),
    [
        (_given(ApprovalDecision.APPROVED), AgentCallStatus.APPROVED, {"depth": 3}),
        (_given(ApprovalDecision.EDITED, arguments={"depth": 1}), AgentCallStatus.APPROVED, {"depth": 1}),
        (_given(ApprovalDecision.DENIED, reason="No."), AgentCallStatus.DENIED, {"depth": 3}),
    ],
)
def test_a_decision_lets_a_call_go_on(
    decision: ApprovalGiven, status: AgentCallStatus, arguments: dict[str, object]
) -> None:
    waiting = state_of(*TURN, ASKED)
    assert (waiting.status, waiting.pending_approvals) == (AgentRunStatus.WAITING_FOR_APPROVAL, (ASKED,))
    state = state_of(*TURN, ASKED, decision)
    [call] = state.open_calls
    assert (call.status, call.arguments, call.approval, call.decision) == (status, arguments, ASKED, decision)
    assert (state.status, state.pending_approvals) == (AgentRunStatus.RUNNING, ())


def test_a_run_waits_only_when_nothing_else_can_be_done() -> None:
    turn = turn_of(CALL, OTHER)
    assert state_of(*turn, ASKED).status is AgentRunStatus.RUNNING
    state = state_of(*turn, ASKED, start_of(OTHER), result_of(OTHER))
    assert (state.status, state.usage.tool_calls) == (AgentRunStatus.WAITING_FOR_APPROVAL, 1)


def test_a_call_that_had_begun_is_unknown_after_a_pause_and_may_be_asked_for_or_begun_again() -> None:
    begun = (*TURN, start_of(CALL), ToolProgress(call_id=CALL.call_id, message="Deep."))
    assert state_of(*begun).open_calls[0].status is AgentCallStatus.STARTED
    state = state_of(*begun, AgentRunResumed())
    assert state.open_calls[0].status is AgentCallStatus.UNKNOWN
    assert state_of(*begun, AgentRunResumed(), ASKED).status is AgentRunStatus.WAITING_FOR_APPROVAL
    again = state_of(*begun, AgentRunResumed(), start_of(CALL), result_of(CALL))
    assert (again.usage.tool_calls, again.calls[CALL.call_id].is_settled) == (1, True)


def test_another_run_counts_towards_this_one() -> None:
    usage = AgentRunUsage(steps=2, tool_calls=3, prompt_tokens=100, completion_tokens=50, seconds=9.0)
    call_id = CALL.call_id
    asked = (*TURN, start_of(CALL), SubRunStarted(call_id=call_id, run_id="run_2", agent="rat"))
    waiting = state_of(*asked, SubRunWaiting(call_id=call_id, run_id="run_2"))
    assert (waiting.status, waiting.pending_approvals) == (AgentRunStatus.WAITING_FOR_APPROVAL, ())
    assert waiting.open_calls[0].sub_run_id == "run_2"
    finished = SubRunFinished(status=AgentRunStatus.COMPLETED, usage=usage, call_id=call_id, run_id="run_2")
    state = state_of(*asked, finished, result_of(CALL))
    assert (state.usage.steps, state.usage.tool_calls, state.usage.tokens) == (3, 4, 165)


def test_untrusted_results_are_read_in_the_next_step() -> None:
    state = state_of(*TURN, start_of(CALL), result_of(CALL, is_trusted=False))
    assert [state.has_read_untrusted(before_turn=turn) for turn in (1, 2)] == [False, True]
    inherited = state_of(started=replace(STARTED, after_untrusted=True))
    assert inherited.has_read_untrusted(before_turn=1)


def test_what_is_compacted_and_warned_of_is_kept() -> None:
    settled = (*TURN, start_of(CALL), result_of(CALL))
    state = state_of(
        *settled,
        ContextCompacted(results={CALL.call_id: 7}),
        ContextCompacted(left_out_turns=1),
        BudgetWarning(budget=BudgetKind.STEPS, used=20, limit=25),
    )
    assert dict(state.shown_characters) == {CALL.call_id: 7}
    assert (state.left_out_turns, state.warnings) == (1, frozenset({BudgetKind.STEPS}))


def test_the_end_says_how_the_run_is() -> None:
    state = state_of(*TURN, end_of(AgentRunStatus.CANCELLED))
    assert (state.status, state.status.is_final) == (AgentRunStatus.CANCELLED, True)


@pytest.mark.parametrize(
    "events",
    [
        (STARTED,),
        (end_of(AgentRunStatus.RUNNING),),
        (end_of(), AgentRunResumed()),
        (ModelTurnStarted(turn=2),),
        (*TURN, ModelTurnStarted(turn=2)),
        (AgentTextDelta(turn=1, text="early"),),
        (*turn_of(), AgentTextDelta(turn=1, text="late")),
        (ModelTurnStarted(turn=1), AgentTextDelta(turn=2, text="elsewhere")),
        (ModelTurnStarted(turn=1), CALL, CALL),
        (ModelTurnStarted(turn=1), replace(CALL, arguments="[]")),
        (
            ModelTurnStarted(turn=1),
            replace(CALL, problem="It is cut.", arguments="{}"),
            replace(CALL, problem="Twice."),
        ),
        (*TURN, start_of(OTHER)),
        (*TURN, _given(ApprovalDecision.APPROVED)),
        (*TURN, ASKED, ASKED),
        (*TURN, ASKED, _given(ApprovalDecision.EDITED)),
        (*TURN, ASKED, _given(ApprovalDecision.APPROVED, arguments={})),
        (*TURN, ASKED, start_of(CALL)),
        (*TURN, ASKED, result_of(CALL)),
        (*TURN, start_of(CALL), start_of(CALL)),
        (*TURN, start_of(CALL), result_of(CALL), result_of(CALL)),
        (*TURN, ToolProgress(call_id=CALL.call_id, message="Not begun.")),
        (*TURN, ContextCompacted(results={CALL.call_id: 0})),
        (*TURN, ContextCompacted(left_out_turns=2)),
    ],
)
def test_events_out_of_place_are_refused(events: tuple[AgentRunEvent, ...]) -> None:
    with pytest.raises(ContractViolationError):
        state_of(*events)


EVENTS = st.sampled_from(
    [
        *turn_of(CALL, OTHER),
        *turn_of(turn=2),
        AgentRunResumed(),
        AgentTextDelta(turn=1, text="I dig."),
        ASKED,
        _given(ApprovalDecision.APPROVED),
        _given(ApprovalDecision.DENIED),
        start_of(CALL),
        result_of(CALL),
        result_of(OTHER),
        end_of(),
    ]
)


@given(events=st.lists(EVENTS, max_size=20))
def test_any_events_are_a_log_or_refused_and_a_log_is_the_sum_of_its_parts(events: list[AgentRunEvent]) -> None:
    state, told = state_of(), 0
    for event in events:
        try:
            state = after(state, AgentRunRecord(sequence=state.last_sequence + 1, at_s=200.0, event=event))
        except ContractViolationError:
            continue
        told += 1
        assert state.last_sequence == told + 1
        assert all(not call.is_settled for call in state.open_calls)
        assert (state.status is AgentRunStatus.COMPLETED) == (state.finished is not None)
        assert {call_id for turn in state.turns for call_id in turn.call_ids} == set(state.calls)
    assert state.usage.steps == len(state.finished_turns)


@pytest.mark.parametrize(
    "records",
    [
        [],
        log_of(AgentRunResumed())[1:],
        [replace(log_of()[0], sequence=2)],
        [*log_of(), AgentRunRecord(sequence=3, at_s=0.0, event=AgentRunResumed())],
    ],
)
def test_logs_with_gaps_are_refused(records: list[AgentRunRecord]) -> None:
    with pytest.raises(ContractViolationError):
        fold(records)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[]", None),
        ('{"a"', None),
        ("[" * 99_999, None),
        ('{"a": NaN}', None),
        ('{"a": 1e999}', None),
        ('{"a": "\\ud800"}', None),
    ],
)
def test_arguments_are_the_text_of_an_object(text: str, value: object) -> None:
    assert read_arguments(text) == value
