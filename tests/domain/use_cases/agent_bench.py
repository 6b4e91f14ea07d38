"""Agent runs on fakes: a scripted model, scripted tools, and a log in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cortex_adapters.fake import (
    ECHO_MODEL,
    FakeClock,
    FakeModelLoader,
    FakeModelStore,
    FakeTextGenerator,
    FakeToolProvider,
    ScriptedReply,
    ScriptedToolCall,
    ScriptedToolUse,
)
from cortex_adapters.in_memory import InMemoryAgentRunStore
from cortex_adapters.system import AsyncioTaskRunner
from cortex_domain.agent_run_events import AgentRunRecord, ApprovalDecision, ApprovalGiven
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import AgentCatalog, AgentRunStore, Clock, TaskRunner, ToolProvider
from cortex_domain.tool_execution import ToolDescriptor, ToolEffect
from cortex_domain.tool_policy import ToolPolicy
from cortex_domain.tools import ToolDefinition
from cortex_domain.use_cases import (
    CancelAgentRun,
    DecideApproval,
    DescribeModel,
    ExecuteTools,
    GenerateText,
    GetAgentRun,
    LoadModel,
    MakeRoom,
    RunAgent,
    StartAgentRun,
    TakeModelTurn,
    UseTool,
)


def tool(name: str, **facts: Any) -> ToolDescriptor:
    return ToolDescriptor(definition=ToolDefinition(name=name), **facts)


LOOK = tool("look", effects=frozenset({ToolEffect.READS_LOCAL}), is_idempotent=True, is_concurrent=True)
DIG = tool("dig")
WRITE = tool("write", effects=frozenset({ToolEffect.WRITES_LOCAL}))
FETCH = tool("fetch", effects=frozenset({ToolEffect.NETWORK}), is_idempotent=True, is_trusted=False)
TOOLS = (LOOK, DIG, WRITE, FETCH)
MOLE = AgentDefinition(name="mole", instructions="You dig.", tools=("*",))


def calling(*calls: ScriptedToolCall, text: str = "") -> ScriptedReply:
    return ScriptedReply(pieces=(text,) if text else (), tool_calls=calls)


def to(name: str, **arguments: object) -> ScriptedToolCall:
    return ScriptedToolCall.to(name, **arguments)


class Agents(AgentCatalog):
    def __init__(self, agents: Iterable[AgentDefinition]) -> None:
        self._agents = {agent.name: agent for agent in agents}

    async def list_agents(self) -> list[AgentDefinition]:
        return list(self._agents.values())

    async def get_agent(self, name: str, /) -> AgentDefinition:
        if name not in self._agents:
            raise AgentNotFoundError(name=name)
        return self._agents[name]


@dataclass
class AgentBench:
    """One store, and everything that works on its runs. Another one with the same store is what a new process has."""

    script: Iterable[ScriptedReply | str] = ()
    tools: Iterable[ToolDescriptor] = TOOLS
    uses: Mapping[str, Iterable[ScriptedToolUse]] = field(default_factory=dict)
    agents: Iterable[AgentDefinition] = ()
    policies: tuple[ToolPolicy, ...] = ()
    context_window: int = 100_000
    store: AgentRunStore = field(default_factory=InMemoryAgentRunStore)
    clock: Clock = field(default_factory=lambda: FakeClock(auto_advance=True))
    told: list[tuple[str, AgentRunRecord]] = field(default_factory=list)
    provider: ToolProvider | None = None
    runner: TaskRunner = field(default_factory=AsyncioTaskRunner)

    def __post_init__(self) -> None:
        self.fake_tools = FakeToolProvider(self.tools, clock=self.clock, script=self.uses)
        provider = self.provider or self.fake_tools
        loader = FakeModelLoader(context_window=self.context_window)
        store = FakeModelStore()
        self.generator = FakeTextGenerator(loader=loader, clock=self.clock, script=self.script)
        residency = ModelResidency(clock=self.clock)
        describe = DescribeModel(store=store, loader=loader, residency=residency, generator=self.generator)
        make_room = MakeRoom(loader=loader, residency=residency)
        self.generate = GenerateText(
            describe_model=describe,
            load_model=LoadModel(store=store, loader=loader, residency=residency, make_room=make_room),
            residency=residency,
            make_room=make_room,
            generator=self.generator,
            clock=self.clock,
        )
        use_tool = UseTool(provider=provider, runner=self.runner, clock=self.clock, report_bug=lambda name, bug: None)
        self.run_agent = RunAgent(
            store=self.store,
            take_model_turn=TakeModelTurn(generate_text=self.generate, clock=self.clock, default_model=ECHO_MODEL),
            execute_tools=ExecuteTools(provider=provider, use_tool=use_tool, runner=self.runner),
            provider=provider,
            catalog=Agents(self.agents),
            clock=self.clock,
            policies=self.policies,
        )
        self.start_run = StartAgentRun(store=self.store, clock=self.clock)
        self.decide_approval = DecideApproval(store=self.store, clock=self.clock)
        self.cancel_run = CancelAgentRun(store=self.store, clock=self.clock)
        self.get_run = GetAgentRun(store=self.store)

    def tell(self, run_id: str, record: AgentRunRecord) -> None:
        self.told.append((run_id, record))

    async def start(self, agent: AgentDefinition = MOLE, task: str = "Dig.") -> str:
        return (await self.start_run(agent, task, owner="me")).started.run_id

    async def work(self, run_id: str) -> AgentRunState:
        return await self.run_agent(run_id, tell=self.tell)

    async def run(self, agent: AgentDefinition = MOLE, task: str = "Dig.") -> AgentRunState:
        return await self.work(await self.start(agent, task))

    async def decide(
        self,
        run_id: str,
        call_id: str,
        decision: ApprovalDecision = ApprovalDecision.APPROVED,
        *,
        reason: str = "",
        arguments: Mapping[str, Any] | None = None,
    ) -> AgentRunState:
        given = ApprovalGiven(call_id=call_id, decision=decision, reason=reason, arguments=arguments, decided_by="me")
        return await self.decide_approval(run_id, given, owner="me", tell=self.tell)

    async def cancel(self, run_id: str) -> AgentRunState:
        return await self.cancel_run(run_id, owner="me", tell=self.tell)

    async def types(self, run_id: str) -> list[str]:
        return [record.event.type for record in await self.store.read(run_id, owner=None)]
