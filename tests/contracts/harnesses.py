"""Builds harnesses around the adapters that need neither a model nor a network."""

from collections.abc import Iterable
from pathlib import PurePath

from cortex_adapters.fake import (
    HONOURED,
    FakeClock,
    FakeEngineMonitor,
    FakeModelLoader,
    FakeModelStore,
    FakePageFetcher,
    FakeTextGenerator,
    FakeToolProvider,
    FakeWebSearcher,
    FakeWorkspace,
    ScriptedToolUse,
)
from cortex_adapters.in_memory import InMemoryAgentRegistry, InMemoryAgentRunStore, InMemoryResponseStore
from cortex_adapters.system import AsyncioTaskRunner
from cortex_contracts.agent_catalog import AgentCatalogHarness
from cortex_contracts.agent_registry import AgentRegistryHarness
from cortex_contracts.agent_run_store import AgentRunStoreHarness
from cortex_contracts.clock import ClockHarness
from cortex_contracts.generation_suspender import GenerationSuspenderHarness
from cortex_contracts.model_loader import ModelLoaderHarness
from cortex_contracts.model_store import ModelStoreHarness
from cortex_contracts.page_fetcher import PageFetcherHarness
from cortex_contracts.prompt_counter import PromptCounterHarness
from cortex_contracts.response_store import ResponseStoreHarness
from cortex_contracts.task_runner import TaskRunnerHarness
from cortex_contracts.tool_provider import ToolProviderHarness, ToolUse
from cortex_contracts.web_searcher import WebSearcherHarness
from cortex_contracts.workspace import WorkspaceHarness
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import InvalidModelError, ToolFailedError, WebFailure, WebSearchError
from cortex_domain.language_models import (
    Capability,
    LoadOptions,
    ModelDescriptor,
    ModelFiles,
    ModelId,
    ModelState,
)
from cortex_domain.tool_execution import ToolDescriptor
from cortex_domain.tools import ToolDefinition
from cortex_domain.workspace_files import WorkspaceLimits
from tests.contracts.fake_web import FakeWeb

WORKSPACE_LIMITS = WorkspaceLimits(read_bytes=200, file_bytes=3_000, entries=12, depth=5, matches=6, line_characters=30)
"""Low, so that a contract reaches them."""


async def fake_engine_harness(
    *, capabilities: Iterable[Capability] = HONOURED, honours_options: bool = True, patience_s: float = 60.0
) -> ModelLoaderHarness:
    """Builds what serves the text generator's, the model loader's and the engine monitor's contracts."""
    invalid = _files("fake/invalid")
    loader = FakeModelLoader(
        memory_limit_bytes=10**9,
        refusals={invalid.model_id: InvalidModelError(model_id=invalid.model_id, reason="it was made so")},
        honours_options=honours_options,
    )
    clock = FakeClock(auto_advance=True)
    generator = FakeTextGenerator(loader=loader, clock=clock, capabilities=capabilities)
    files = _files("fake/echo")
    await loader.load(files)
    return ModelLoaderHarness(
        generator=generator,
        loader=loader,
        monitor=FakeEngineMonitor(loader=loader, generator=generator),
        files=files,
        thinking_files=files,
        other_files=_files("fake/parrot"),
        invalid_files=invalid,
        options=LoadOptions(lora_weights=PurePath("a-lora")) if honours_options else None,
        oversized_files=_files("fake/oversized", size_bytes=10**12),
        encode=generator.encode,
        pass_time=clock.advance,
        patience_s=patience_s,
    )


async def fake_suspender_harness(
    *, capabilities: Iterable[Capability] = HONOURED, patience_s: float = 60.0
) -> GenerationSuspenderHarness:
    engine = await fake_engine_harness(capabilities=capabilities, patience_s=patience_s)
    assert isinstance(engine.generator, FakeTextGenerator)
    return GenerationSuspenderHarness(
        generator=engine.generator,
        suspender=engine.generator,
        loader=engine.loader,
        monitor=engine.monitor,
        files=engine.files,
        patience_s=patience_s,
    )


async def fake_counter_harness(
    *, capabilities: Iterable[Capability] = HONOURED, patience_s: float = 60.0
) -> PromptCounterHarness:
    engine = await fake_engine_harness(capabilities=capabilities, patience_s=patience_s)
    assert isinstance(engine.generator, FakeTextGenerator)
    return PromptCounterHarness(
        generator=engine.generator,
        counter=engine.generator,
        loader=engine.loader,
        monitor=engine.monitor,
        files=engine.files,
        patience_s=patience_s,
    )


async def fake_store_harness(*, patience_s: float = 60.0) -> ModelStoreHarness:
    names = ModelId("fake/parrot"), ModelId("fake/lyrebird"), ModelId("fake/echo")
    store = FakeModelStore(
        ModelDescriptor(id=name, aliases=(name.removeprefix("fake/"),), state=ModelState.AVAILABLE, size_bytes=1000)
        for name in names
    )
    return ModelStoreHarness(store=store, models=names, missing=ModelId("fake/dodo"), patience_s=patience_s)


async def fake_clock_harness(*, patience_s: float = 60.0) -> ClockHarness:
    return ClockHarness(clock=FakeClock(auto_advance=True), patience_s=patience_s)


AGENTS = (
    AgentDefinition(name="second", description="comes second", tools=("read_file",)),
    AgentDefinition(name="first", instructions="Be first."),
)


async def agent_catalog_harness(*, patience_s: float = 60.0) -> AgentCatalogHarness:
    return AgentCatalogHarness(catalog=InMemoryAgentRegistry(AGENTS), agents=AGENTS, patience_s=patience_s)


async def agent_registry_harness(*, patience_s: float = 60.0) -> AgentRegistryHarness:
    return AgentRegistryHarness(registry=InMemoryAgentRegistry(), patience_s=patience_s)


async def in_memory_run_harness(*, patience_s: float = 60.0) -> AgentRunStoreHarness:
    return AgentRunStoreHarness(store=InMemoryAgentRunStore(), patience_s=patience_s)


async def in_memory_response_harness(*, patience_s: float = 60.0) -> ResponseStoreHarness:
    return ResponseStoreHarness(store=InMemoryResponseStore(), patience_s=patience_s)


async def fake_fetcher_harness(*, patience_s: float = 60.0) -> PageFetcherHarness:
    fetcher = FakePageFetcher()
    return PageFetcherHarness(
        fetcher=fetcher,
        serve=FakeWeb(fetcher, max_bytes=1000).serve,
        max_bytes=1000,
        listening_port=9,
        reached=lambda: 0,
        patience_s=patience_s,
    )


async def fake_searcher_harness(*, patience_s: float = 60.0) -> WebSearcherHarness:
    searcher = FakeWebSearcher()
    failure = WebSearchError("It was made so.", provider="fake", reason=WebFailure.BAD_ANSWER)
    return WebSearcherHarness(
        searcher=searcher,
        offer=searcher.answer,
        break_down=lambda text: searcher.answer(text, failure),
        patience_s=patience_s,
    )


async def asyncio_runner_harness(*, patience_s: float = 60.0) -> TaskRunnerHarness:
    return TaskRunnerHarness(runner=AsyncioTaskRunner(), patience_s=patience_s)


async def fake_tool_harness(*, patience_s: float = 60.0) -> ToolProviderHarness:
    parameters = {
        "type": "object",
        "properties": {"number": {"type": "integer"}},
        "required": ["number"],
        "additionalProperties": False,
    }
    script = {
        "fail": [ScriptedToolUse(error=ToolFailedError("It cannot be done."))],
        "wait": [ScriptedToolUse(progress=(("on it", 0.5),), delay_s=None)],
    }
    provider = FakeToolProvider(
        (ToolDescriptor(definition=ToolDefinition(name=name, parameters=parameters)) for name in ("do", *script)),
        clock=FakeClock(auto_advance=True),
        script=script,
    )
    return ToolProviderHarness(
        provider=provider,
        working=ToolUse(name="do", arguments={"number": 1}),
        wrong=ToolUse(name="do", arguments={"number": "one"}),
        failing=ToolUse(name="fail", arguments={"number": 1}),
        waiting=ToolUse(name="wait", arguments={"number": 1}),
        times_begun=lambda: len(provider.uses),
        is_at_work=lambda: bool(provider.running),
        patience_s=patience_s,
    )


async def fake_workspace_harness(*, patience_s: float = 60.0) -> WorkspaceHarness:
    workspace = FakeWorkspace(limits=WORKSPACE_LIMITS)
    return WorkspaceHarness(workspace=workspace, place=workspace.place, patience_s=patience_s)


def _files(name: str, *, size_bytes: int = 1_000_000) -> ModelFiles:
    return ModelFiles(model_id=ModelId(name), directory=PurePath(name), revision=None, size_bytes=size_bytes)
