"""A Cortex of fake adapters behind a real socket of this machine."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from cortex_adapters.fake import (
    ECHO_MODEL,
    FakeEngineMonitor,
    FakeModelLoader,
    FakeModelStore,
    FakeTextGenerator,
    FakeToolProvider,
    ScriptedReply,
)
from cortex_adapters.in_memory import InMemoryAgentRegistry, InMemoryAgentRunStore, InMemoryResponseStore
from cortex_adapters.system.clock import SystemClock
from cortex_adapters.system.task_runner import AsyncioTaskRunner
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import AgentRegistry, AgentRunStore, ResponseStore, TextGenerator, ToolProvider
from cortex_domain.tool_policy import ToolPolicy
from cortex_domain.use_cases import (
    ChatWithTools,
    CountPrompt,
    DeleteModel,
    DescribeModel,
    ExecuteTools,
    GenerateText,
    ListModels,
    LoadModel,
    MakeRoom,
    PullModel,
    ResumeGeneration,
    UnloadModel,
    UseTool,
)
from cortex_entrypoints import Cortex, Settings
from cortex_entrypoints.default_model import DefaultModelPreparation
from cortex_entrypoints.http.listener import open_listener
from cortex_entrypoints.http.server import serve_until
from cortex_entrypoints.observation.watched_tools import WatchedToolProvider
from cortex_entrypoints.tool_tally import ToolTally
from tests.entrypoints.agent_wiring import wire_agent_runs

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello there, Cortex."}]}
"""A chat; the echo answers what it says."""


async def _nothing() -> None:
    """Starts or stops what needs neither."""


@dataclass(kw_only=True)
class FakeAdapters:
    """What the server stands on."""

    loader: FakeModelLoader = field(default_factory=FakeModelLoader)
    store: FakeModelStore = field(default_factory=FakeModelStore)
    clock: SystemClock = field(default_factory=SystemClock)
    responses: ResponseStore = field(default_factory=InMemoryResponseStore)
    script: Iterable[ScriptedReply | str] | None = None
    generator: TextGenerator | None = None
    tools: ToolProvider | None = None
    tool_policy: ToolPolicy = field(default_factory=ToolPolicy)
    tool_tally: ToolTally = field(default_factory=ToolTally)
    agents: AgentRegistry = field(default_factory=InMemoryAgentRegistry)
    agent_runs: AgentRunStore = field(default_factory=InMemoryAgentRunStore)
    tool_bugs: list[tuple[str, BaseException]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fake_generator = FakeTextGenerator(loader=self.loader, clock=self.clock, script=self.script)
        self.monitor = FakeEngineMonitor(loader=self.loader, generator=self.fake_generator)

    def wire(self) -> Cortex:
        """Builds the use cases."""
        generator = self.generator or self.fake_generator
        residency = ModelResidency(clock=self.clock)
        describe_model = DescribeModel(store=self.store, loader=self.loader, residency=residency, generator=generator)
        make_room = MakeRoom(loader=self.loader, residency=residency)
        load_model = LoadModel(
            store=self.store,
            loader=self.loader,
            residency=residency,
            make_room=make_room,
        )
        pull_model = PullModel(store=self.store)
        tools = self.tools or FakeToolProvider([], clock=self.clock)
        execute_tools = self._execute_tools(tools)
        generate_text = GenerateText(
            describe_model=describe_model,
            load_model=load_model,
            residency=residency,
            make_room=make_room,
            generator=generator,
            clock=self.clock,
        )
        return Cortex(
            default_model=ECHO_MODEL,
            default_model_preparation=DefaultModelPreparation(
                default_model=ECHO_MODEL, bundled_models=(), describe_model=describe_model, pull_model=pull_model
            ),
            generate_text=generate_text,
            resume_generation=ResumeGeneration(
                suspender=self.fake_generator, load_model=load_model, residency=residency
            ),
            generation_suspender=self.fake_generator,
            count_prompt=CountPrompt(
                describe_model=describe_model,
                load_model=load_model,
                residency=residency,
                counter=self.fake_generator,
            ),
            list_models=ListModels(store=self.store, describe_model=describe_model),
            describe_model=describe_model,
            load_model=load_model,
            unload_model=UnloadModel(store=self.store, loader=self.loader, residency=residency),
            pull_model=pull_model,
            delete_model=DeleteModel(store=self.store, loader=self.loader),
            loaded_models=self.loader.loaded,
            engine_monitor=self.monitor,
            response_store=self.responses,
            tool_provider=tools,
            tool_policy=self.tool_policy,
            execute_tools=execute_tools,
            chat_with_tools=ChatWithTools(
                generate_text=generate_text,
                provider=tools,
                execute_tools=execute_tools,
                policy=self.tool_policy,
                clock=self.clock,
            ),
            tool_tally=self.tool_tally,
            agent_registry=self.agents,
            agent_runs=wire_agent_runs(
                store=self.agent_runs,
                catalog=self.agents,
                generate_text=generate_text,
                tools=tools,
                execute_tools=execute_tools,
                clock=self.clock,
                policies=[self.tool_policy],
            ),
            features=frozenset(),
            clock=self.clock,
            start=_nothing,
            stop=_nothing,
        )

    def _execute_tools(self, tools: ToolProvider) -> ExecuteTools:
        runner = AsyncioTaskRunner()
        use_tool = UseTool(
            provider=WatchedToolProvider(tools, tally=self.tool_tally, clock=self.clock),
            runner=runner,
            clock=self.clock,
            report_bug=lambda name, error: self.tool_bugs.append((name, error)),
        )
        return ExecuteTools(provider=tools, use_tool=use_tool, runner=runner)


@dataclass(kw_only=True)
class LiveServer:
    """A server that listens.

    Attributes:
        port: Where, on 127.0.0.1.
        adapters: What it stands on.
        client: An HTTP client that knows its address.
        stop: Set it to make the server stop.
        ended: Done when it has stopped.
    """

    port: int
    adapters: FakeAdapters
    client: httpx2.AsyncClient
    stop: asyncio.Event
    ended: asyncio.Task[None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/api/chat/ws"

    async def until_idle(self) -> None:
        """Waits until no generation is open; hangs, and so fails, when one leaks."""
        async with asyncio.timeout(20):
            while self.adapters.monitor.status().active_requests:
                await asyncio.sleep(0.005)

    async def until_draining(self) -> None:
        """Waits until the server takes nothing new."""
        while (await self.client.get("/api/health")).status_code == 200:
            pass

    async def until_busy(self, requests: int = 1) -> None:
        """Waits until this many generations are open."""
        async with asyncio.timeout(20):
            while self.adapters.monitor.status().active_requests < requests:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def live_server(*, adapters: FakeAdapters | None = None, **settings: Any) -> AsyncIterator[LiveServer]:
    """Runs a server on a port of the system's choice and stops it at the end.

    Args:
        adapters: What it stands on; None answers with the echo.
        settings: Settings that differ from the defaults.
    """
    adapters = adapters or FakeAdapters()
    listener, stop = open_listener("127.0.0.1", 0), asyncio.Event()
    port: int = listener.getsockname()[1]
    chosen = Settings(**{"shutdown_grace_s": 5.0, **settings})
    cortex = adapters.wire()
    ended = asyncio.create_task(serve_until(stop, cortex, chosen, listener=listener))
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            yield LiveServer(port=port, adapters=adapters, client=client, stop=stop, ended=ended)
    finally:
        stop.set()
        await ended
        await cortex.agent_runs.stop()
