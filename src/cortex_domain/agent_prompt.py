"""What an agent's model is told: a pure function of what has become of the run so far."""

import json
from collections.abc import Iterator
from dataclasses import replace

from cortex_domain.agent_repetition import WARNED_AT, repetition
from cortex_domain.agent_run_events import ApprovalDecision
from cortex_domain.agent_run_state import AgentCall, AgentRunState, AgentTurn
from cortex_domain.agent_toolbox import AgentToolbox
from cortex_domain.generation import MAX_TIMEOUT_S, GenerationRequest
from cortex_domain.language_models import ModelId
from cortex_domain.messages import (
    ContentPart,
    Message,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    system_message,
    user_message,
)
from cortex_domain.tool_result_text import result_part
from cortex_domain.tools import ToolChoice

DEFAULT_STEP_TOKENS = 2048
"""Longest answer of one step, in tokens, where the definition says nothing."""
_LAST_ANSWER = "No tools can be used any more. Give the final answer now, with what you know."


def step_request(state: AgentRunState, toolbox: AgentToolbox, /, *, default_model: ModelId) -> GenerationRequest:
    """Builds the request for the step of the model that has just begun.

    Args:
        state: The run.
        toolbox: What the agent may use.
        default_model: Who answers when the definition names nobody.
    """
    agent, is_closing = state.started.agent, _is_closing(state)
    tools = () if is_closing else toolbox.offered
    is_first = not state.finished_turns
    return GenerationRequest(
        model=agent.model or default_model,
        messages=tuple(_messages(state, toolbox)),
        sampling=agent.sampling,
        max_tokens=step_tokens(state),
        shortens_to_fit=True,
        owner=state.started.owner,
        timeout_s=_remaining_s(state),
        output=agent.output,
        reasoning_effort=agent.reasoning_effort,
        tools=tools,
        tool_choice=agent.first_tool_choice if is_first and tools else ToolChoice(),
    )


def step_tokens(state: AgentRunState, /) -> int:
    """Tells how many tokens the next answer may have: what the definition says, within what the budget leaves."""
    agent = state.started.agent
    wanted = agent.max_tokens or DEFAULT_STEP_TOKENS
    left = wanted if agent.budgets.tokens is None else agent.budgets.tokens - state.usage.tokens
    return max(1, min(wanted, left))


def result_text(call: AgentCall, /) -> str:
    """Writes the whole result of a settled call as its model reads it."""
    return "" if call.result is None else result_part(call.result).text


def _is_closing(state: AgentRunState) -> bool:
    return state.last_turn is not None and state.last_turn.without_tools


def _remaining_s(state: AgentRunState) -> float | None:
    seconds = state.started.agent.budgets.seconds
    return None if seconds is None else min(MAX_TIMEOUT_S, max(0.001, seconds - state.usage.seconds))


def _messages(state: AgentRunState, toolbox: AgentToolbox) -> Iterator[Message]:
    if state.started.agent.instructions:
        yield system_message(state.started.agent.instructions)
    yield user_message(state.started.task + _left_out_note(state))
    for turn in state.finished_turns[state.left_out_turns :]:
        yield from _turn_messages(state, turn, toolbox)
    if _is_closing(state):
        yield user_message(_LAST_ANSWER)


def _left_out_note(state: AgentRunState) -> str:
    count = state.left_out_turns
    return f"\n\n[Your first {count} steps are left out here, because they are too long.]" if count else ""


def _turn_messages(state: AgentRunState, turn: AgentTurn, toolbox: AgentToolbox) -> Iterator[Message]:
    calls = [state.calls[call_id] for call_id in turn.call_ids]
    yield Message(role=Role.ASSISTANT, parts=tuple(_assistant_parts(turn, calls)))
    for call in calls:
        yield Message(role=Role.TOOL, parts=(_result_part(state, call, toolbox),))
    if turn.finished is not None and turn.finished.problem is not None:
        yield user_message(f"That was not a whole tool call: {turn.finished.problem} Try again.")


def _assistant_parts(turn: AgentTurn, calls: list[AgentCall]) -> Iterator[ContentPart]:
    if turn.reasoning:
        yield ReasoningPart(text=turn.reasoning)
    if turn.text or not calls:
        yield TextPart(text=turn.text)
    for call in calls:
        yield ToolCallPart(id=call.id, name=call.name, arguments=call.written)


def _result_part(state: AgentRunState, call: AgentCall, toolbox: AgentToolbox) -> ToolResultPart:
    assert call.result is not None
    part = result_part(call.result)
    text = _shortened(part.text, state.shown_characters.get(call.id))
    notes = [*_edit_note(call), *_repetition_note(state, call, toolbox)]
    return replace(part, text="\n".join([*notes, text]))


def _shortened(text: str, characters: int | None) -> str:
    if characters is None or len(text) <= characters:
        return text
    return f"{text[:characters]}[{len(text) - characters} characters are left out here to save room]"


def _edit_note(call: AgentCall) -> Iterator[str]:
    if call.decision is not None and call.decision.decision is ApprovalDecision.EDITED:
        yield f"[A person changed the arguments to {json.dumps(dict(call.arguments), ensure_ascii=False)}]"


def _repetition_note(state: AgentRunState, call: AgentCall, toolbox: AgentToolbox) -> Iterator[str]:
    times = repetition(state, call, is_idempotent=toolbox.is_idempotent(call.name))
    if times >= WARNED_AT:
        yield f"[You have made this same call {times} times. Do something else, or answer.]"
