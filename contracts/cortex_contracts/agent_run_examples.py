"""One event of each kind, with something in every field, for stores to keep."""

from typing import Final

from cortex_domain.agent_run_events import (
    AgentReasoningDelta,
    AgentRunEvent,
    AgentRunFinished,
    AgentRunResumed,
    AgentRunStarted,
    AgentRunStatus,
    AgentRunUsage,
    AgentTextDelta,
    AgentToolCall,
    ApprovalDecision,
    ApprovalGiven,
    ApprovalReason,
    ApprovalRequested,
    BudgetKind,
    BudgetWarning,
    ContextCompacted,
    ModelTurnFinished,
    ModelTurnStarted,
    SubRunFinished,
    SubRunStarted,
    SubRunWaiting,
)
from cortex_domain.agents import AgentBudgets, AgentDefinition
from cortex_domain.generation import FinishReason, ReasoningEffort, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_domain.tool_execution import (
    ToolEffect,
    ToolError,
    ToolFinished,
    ToolImage,
    ToolJson,
    ToolProgress,
    ToolStarted,
    ToolText,
)
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_domain.tools import ToolChoice, ToolChoiceMode

_AGENT: Final = AgentDefinition(
    name="mole",
    description="Digs.",
    instructions="Dig \u00e4 hole.",
    model=ModelId("fake/echo"),
    tools=("dig", "read_*"),
    policy=ToolPolicy(
        effects={ToolEffect.NETWORK: ToolPermission.ASK},
        tools={"dig": ToolPermission.ALLOW},
        allowed_after_untrusted=frozenset({"dig"}),
    ),
    budgets=AgentBudgets(steps=3, tool_calls=4, tokens=500, seconds=6.5),
    output=JsonSchemaOutput(schema={"type": "object", "properties": {"b": {"enum": [1, None]}, "a": True}}),
    sub_agents=("rat",),
    sampling=SamplingParameters(seed=7, logit_bias={3: -1.5}),
    max_tokens=64,
    reasoning_effort=ReasoningEffort.LOW,
    first_tool_choice=ToolChoice(mode=ToolChoiceMode.NAMED, name="dig"),
)
_ARGUMENTS: Final = {"depth": 3, "tools": [{"kind": "spade", "size": 1.5}], "in": None, "text": "\u00e4\x00\n"}
_USAGE: Final = AgentRunUsage(steps=1, tool_calls=2, prompt_tokens=3, completion_tokens=4, seconds=5.25)

EVERY_EVENT: Final[tuple[AgentRunEvent, ...]] = (
    AgentRunStarted(
        run_id="run_1",
        owner="somebody",
        agent=_AGENT,
        task="Dig.",
        parent_run_id="run_0",
        depth=1,
        after_untrusted=True,
    ),
    AgentRunResumed(),
    ModelTurnStarted(turn=1, without_tools=True),
    AgentReasoningDelta(turn=1, text="Hm."),
    AgentTextDelta(turn=1, text="\U0001f573 "),
    AgentToolCall(turn=1, call_id="call_1_1", name="dig", arguments='{"depth": 3', problem="It is cut."),
    ModelTurnFinished(
        turn=1, finish_reason=FinishReason.LENGTH, prompt_tokens=3, completion_tokens=4, problem="It has no name."
    ),
    ApprovalRequested(
        call_id="call_1_1",
        name="dig",
        arguments=_ARGUMENTS,
        effects=frozenset({ToolEffect.WRITES_LOCAL, ToolEffect.SPENDS}),
        reason=ApprovalReason.AFTER_UNTRUSTED,
    ),
    ApprovalGiven(
        call_id="call_1_1",
        decision=ApprovalDecision.EDITED,
        reason="Not so deep.",
        arguments={"depth": 1},
        decided_by="somebody",
    ),
    ToolStarted(call_id="call_1_1", name="dig", arguments=_ARGUMENTS),
    ToolProgress(call_id="call_1_1", message="Half.", fraction=0.5),
    ToolFinished(
        call_id="call_1_1",
        name="dig",
        status="error",
        content=(
            ToolText(text="earth"),
            ToolJson(value={"found": [1, None, 2.5, "bone"]}),
            ToolImage(data=b"\x89PNG\xff\x00", media_type="image/png"),
        ),
        error=ToolError(code="stone", message="There is a stone."),
        is_trusted=False,
        is_truncated=True,
        attempts=2,
        duration_ms=12.5,
    ),
    SubRunStarted(call_id="call_1_2", run_id="run_2", agent="rat"),
    SubRunWaiting(call_id="call_1_2", run_id="run_2"),
    SubRunFinished(call_id="call_1_2", run_id="run_2", status=AgentRunStatus.FAILED, usage=_USAGE),
    BudgetWarning(budget=BudgetKind.TOKENS, used=400, limit=500),
    ContextCompacted(results={"call_1_1": 10}, left_out_turns=1),
    AgentRunFinished(
        status=AgentRunStatus.COMPLETED,
        reason="length",
        message="It was cut.",
        answer="A hole.",
        output={"a": [1, {"b": None}]},
        usage=_USAGE,
    ),
)
