"""Each broken adapter is caught by exactly the requirement that it breaks."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cortex_contracts.agent_catalog import AgentCatalogContract, AgentCatalogHarness
from cortex_contracts.agent_registry import AgentRegistryContract, AgentRegistryHarness
from cortex_contracts.agent_run_store import AgentRunStoreContract, AgentRunStoreHarness
from cortex_contracts.broken_adapters import (
    BROKEN_AGENT_CATALOGS,
    BROKEN_AGENT_REGISTRIES,
    BROKEN_AGENT_RUN_STORES,
    BROKEN_CLOCKS,
    BROKEN_CODE_EXECUTORS,
    BROKEN_ENGINE_MONITORS,
    BROKEN_GENERATION_SUSPENDERS,
    BROKEN_MODEL_LOADERS,
    BROKEN_MODEL_STORES,
    BROKEN_PAGE_FETCHERS,
    BROKEN_PROMPT_COUNTERS,
    BROKEN_RESPONSE_STORES,
    BROKEN_TASK_RUNNERS,
    BROKEN_TEXT_GENERATORS,
    BROKEN_TOOL_PROVIDERS,
    BROKEN_WEB_SEARCHERS,
    BROKEN_WORKSPACES,
    Breakage,
)
from cortex_contracts.checks import checks_of
from cortex_contracts.clock import ClockContract, ClockHarness
from cortex_contracts.code_executor import CodeExecutorContract, CodeExecutorHarness
from cortex_contracts.engine_monitor import EngineMonitorContract
from cortex_contracts.generation_suspender import GenerationSuspenderContract, GenerationSuspenderHarness
from cortex_contracts.model_loader import ModelLoaderContract, ModelLoaderHarness
from cortex_contracts.model_store import ModelStoreContract, ModelStoreHarness
from cortex_contracts.page_fetcher import PageFetcherContract, PageFetcherHarness
from cortex_contracts.prompt_counter import PromptCounterContract, PromptCounterHarness
from cortex_contracts.response_store import ResponseStoreContract, ResponseStoreHarness
from cortex_contracts.task_runner import TaskRunnerContract, TaskRunnerHarness
from cortex_contracts.text_generator import TextGeneratorContract, TextGeneratorHarness
from cortex_contracts.tool_provider import ToolProviderContract, ToolProviderHarness
from cortex_contracts.web_searcher import WebSearcherContract, WebSearcherHarness
from cortex_contracts.workspace import WorkspaceContract, WorkspaceHarness
from tests.contracts.fake_code import fake_code_harness
from tests.contracts.harnesses import (
    agent_catalog_harness,
    agent_registry_harness,
    asyncio_runner_harness,
    fake_clock_harness,
    fake_counter_harness,
    fake_engine_harness,
    fake_fetcher_harness,
    fake_searcher_harness,
    fake_store_harness,
    fake_suspender_harness,
    fake_tool_harness,
    fake_workspace_harness,
    in_memory_response_harness,
    in_memory_run_harness,
)


def _named(breakage: Breakage[Any]) -> str:
    return f"{breakage.requirement_id}-{breakage.name.strip('_')}"


@pytest.mark.parametrize("breakage", BROKEN_AGENT_CATALOGS, ids=_named)
async def test_broken_agent_catalog(breakage: Breakage[AgentCatalogHarness]) -> None:
    assert await _failing(AgentCatalogContract, breakage, agent_catalog_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_AGENT_REGISTRIES, ids=_named)
async def test_broken_agent_registry(breakage: Breakage[AgentRegistryHarness]) -> None:
    assert await _failing(AgentRegistryContract, breakage, agent_registry_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_AGENT_RUN_STORES, ids=_named)
async def test_broken_agent_run_store(breakage: Breakage[AgentRunStoreHarness]) -> None:
    assert await _failing(AgentRunStoreContract, breakage, in_memory_run_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_CLOCKS, ids=_named)
async def test_broken_clock(breakage: Breakage[ClockHarness]) -> None:
    assert await _failing(ClockContract, breakage, fake_clock_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_CODE_EXECUTORS, ids=_named)
async def test_broken_code_executor(breakage: Breakage[CodeExecutorHarness]) -> None:
    with fake_code_harness() as build:
        assert await _failing(CodeExecutorContract, breakage, build) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_ENGINE_MONITORS, ids=_named)
async def test_broken_engine_monitor(breakage: Breakage[TextGeneratorHarness]) -> None:
    assert await _failing(EngineMonitorContract, breakage, fake_engine_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_GENERATION_SUSPENDERS, ids=_named)
async def test_broken_generation_suspender(breakage: Breakage[GenerationSuspenderHarness]) -> None:
    failing = await _failing(GenerationSuspenderContract, breakage, fake_suspender_harness)
    assert failing == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_MODEL_LOADERS, ids=_named)
async def test_broken_model_loader(breakage: Breakage[ModelLoaderHarness]) -> None:
    assert await _failing(ModelLoaderContract, breakage, fake_engine_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_MODEL_STORES, ids=_named)
async def test_broken_model_store(breakage: Breakage[ModelStoreHarness]) -> None:
    assert await _failing(ModelStoreContract, breakage, fake_store_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_PROMPT_COUNTERS, ids=_named)
async def test_broken_prompt_counter(breakage: Breakage[PromptCounterHarness]) -> None:
    assert await _failing(PromptCounterContract, breakage, fake_counter_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_RESPONSE_STORES, ids=_named)
async def test_broken_response_store(breakage: Breakage[ResponseStoreHarness]) -> None:
    failing = await _failing(ResponseStoreContract, breakage, in_memory_response_harness)
    assert failing == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_TASK_RUNNERS, ids=_named)
async def test_broken_task_runner(breakage: Breakage[TaskRunnerHarness]) -> None:
    assert await _failing(TaskRunnerContract, breakage, asyncio_runner_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_TOOL_PROVIDERS, ids=_named)
async def test_broken_tool_provider(breakage: Breakage[ToolProviderHarness]) -> None:
    assert await _failing(ToolProviderContract, breakage, fake_tool_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_TEXT_GENERATORS, ids=_named)
async def test_broken_text_generator(breakage: Breakage[TextGeneratorHarness]) -> None:
    assert await _failing(TextGeneratorContract, breakage, fake_engine_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_PAGE_FETCHERS, ids=_named)
async def test_broken_page_fetcher(breakage: Breakage[PageFetcherHarness]) -> None:
    assert await _failing(PageFetcherContract, breakage, fake_fetcher_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_WEB_SEARCHERS, ids=_named)
async def test_broken_web_searcher(breakage: Breakage[WebSearcherHarness]) -> None:
    assert await _failing(WebSearcherContract, breakage, fake_searcher_harness) == {breakage.requirement_id}


@pytest.mark.parametrize("breakage", BROKEN_WORKSPACES, ids=_named)
async def test_broken_workspace(breakage: Breakage[WorkspaceHarness]) -> None:
    assert await _failing(WorkspaceContract, breakage, fake_workspace_harness) == {breakage.requirement_id}


async def _failing(contract: type, breakage: Breakage[Any], build: Callable[..., Awaitable[Any]]) -> set[str]:
    """Runs a whole contract, each test on a new broken harness. Only a test that should fail may do so by hanging."""
    failing = set()
    for name, requirement_id in checks_of(contract).items():
        patience_s = 0.3 if requirement_id == breakage.requirement_id else 60.0
        harness = breakage.spoil(await build(patience_s=patience_s))
        try:
            await getattr(contract(), name)(harness)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever a test raises is its failure
            failing.add(requirement_id)
    return failing
