"""Builds agent runs at work around whatever a test has."""

from collections.abc import Iterable

from cortex_adapters.fake import ECHO_MODEL
from cortex_domain.ports import AgentCatalog, AgentRunStore, Clock, ToolProvider
from cortex_domain.tool_policy import ToolPolicy
from cortex_domain.use_cases import (
    CancelAgentRun,
    DecideApproval,
    ExecuteTools,
    GenerateText,
    GetAgentRun,
    RunAgent,
    StartAgentRun,
    TakeModelTurn,
)
from cortex_entrypoints.agent_runs import AgentRuns


def wire_agent_runs(
    *,
    store: AgentRunStore,
    catalog: AgentCatalog,
    generate_text: GenerateText,
    tools: ToolProvider,
    execute_tools: ExecuteTools,
    clock: Clock,
    policies: Iterable[ToolPolicy] = (),
) -> AgentRuns:
    return AgentRuns(
        store=store,
        run_agent=RunAgent(
            store=store,
            take_model_turn=TakeModelTurn(generate_text=generate_text, clock=clock, default_model=ECHO_MODEL),
            execute_tools=execute_tools,
            provider=tools,
            catalog=catalog,
            clock=clock,
            policies=tuple(policies),
        ),
        start_agent_run=StartAgentRun(store=store, clock=clock),
        decide_approval=DecideApproval(store=store, clock=clock),
        cancel_agent_run=CancelAgentRun(store=store, clock=clock),
        get_agent_run=GetAgentRun(store=store),
    )
