"""Makes a context that became too long shorter, by one rule.

First the older half of the tool results that the model has read already are left out; when none is left, the longest
result of the last step is cut by half, down to 500 characters; then whole steps are left out, all but the last one. The
task, the instructions and the last step always stay. What is missing is said in its place, and the log keeps all of it.
"""

from typing import Final

from cortex_domain.agent_prompt import result_text
from cortex_domain.agent_run_events import ContextCompacted
from cortex_domain.agent_run_state import AgentCall, AgentRunState

SHORTEST_RESULT: Final = 500
"""Characters of a result of the last step that always stay."""


def compaction(state: AgentRunState, /) -> ContextCompacted | None:
    """Tells what is shown in part or not at all from now on; None when nothing more can go."""
    turns = state.finished_turns
    if not turns:
        return None
    return _without_old_results(state) or _with_shorter_result(state) or _without_old_turns(state)


def _without_old_results(state: AgentRunState) -> ContextCompacted | None:
    last = len(state.finished_turns)
    old = [call for call in _shown_calls(state) if call.turn < last and _shown_length(state, call) > 0]
    if not old:
        return None
    older_half = old[: (len(old) + 1) // 2]
    return ContextCompacted(results={call.id: 0 for call in older_half}, left_out_turns=state.left_out_turns)


def _with_shorter_result(state: AgentRunState) -> ContextCompacted | None:
    last = len(state.finished_turns)
    lengths = {call.id: _shown_length(state, call) for call in _shown_calls(state) if call.turn == last}
    longest = max(lengths, key=lengths.__getitem__, default=None)
    if longest is None or lengths[longest] <= SHORTEST_RESULT:
        return None
    kept = max(SHORTEST_RESULT, lengths[longest] // 2)
    return ContextCompacted(results={longest: kept}, left_out_turns=state.left_out_turns)


def _without_old_turns(state: AgentRunState) -> ContextCompacted | None:
    left_out = len(state.finished_turns) - 1
    return ContextCompacted(left_out_turns=left_out) if left_out > state.left_out_turns else None


def _shown_calls(state: AgentRunState) -> list[AgentCall]:
    return [call for call in state.calls.values() if call.turn > state.left_out_turns and call.is_settled]


def _shown_length(state: AgentRunState, call: AgentCall) -> int:
    length = len(result_text(call))
    return min(length, state.shown_characters.get(call.id, length))
