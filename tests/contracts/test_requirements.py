"""Every requirement has a test, a sentence and a broken adapter, and nothing else has."""

from collections import Counter
from typing import Any

from cortex_contracts import broken_adapters
from cortex_contracts.agent_catalog import AgentCatalogContract
from cortex_contracts.agent_registry import AgentRegistryContract
from cortex_contracts.agent_run_store import AgentRunStoreContract
from cortex_contracts.broken_adapters import Breakage
from cortex_contracts.checks import checks_of
from cortex_contracts.clock import ClockContract
from cortex_contracts.code_executor import CodeExecutorContract
from cortex_contracts.engine_monitor import EngineMonitorContract
from cortex_contracts.generation_suspender import GenerationSuspenderContract
from cortex_contracts.model_loader import ModelLoaderContract
from cortex_contracts.model_store import ModelStoreContract
from cortex_contracts.page_fetcher import PageFetcherContract
from cortex_contracts.prompt_counter import PromptCounterContract
from cortex_contracts.requirements import REQUIREMENTS
from cortex_contracts.response_store import ResponseStoreContract
from cortex_contracts.task_runner import TaskRunnerContract
from cortex_contracts.text_generator import TextGeneratorContract
from cortex_contracts.tool_provider import ToolProviderContract
from cortex_contracts.web_searcher import WebSearcherContract
from cortex_contracts.workspace import WorkspaceContract

CONTRACTS = (
    AgentCatalogContract,
    AgentRunStoreContract,
    AgentRegistryContract,
    ClockContract,
    CodeExecutorContract,
    EngineMonitorContract,
    GenerationSuspenderContract,
    ModelLoaderContract,
    ModelStoreContract,
    PageFetcherContract,
    PromptCounterContract,
    ResponseStoreContract,
    TaskRunnerContract,
    TextGeneratorContract,
    ToolProviderContract,
    WebSearcherContract,
    WorkspaceContract,
)
BREAKAGES: tuple[Breakage[Any], ...] = (
    *broken_adapters.BROKEN_AGENT_CATALOGS,
    *broken_adapters.BROKEN_AGENT_REGISTRIES,
    *broken_adapters.BROKEN_AGENT_RUN_STORES,
    *broken_adapters.BROKEN_CLOCKS,
    *broken_adapters.BROKEN_CODE_EXECUTORS,
    *broken_adapters.BROKEN_ENGINE_MONITORS,
    *broken_adapters.BROKEN_GENERATION_SUSPENDERS,
    *broken_adapters.BROKEN_MODEL_LOADERS,
    *broken_adapters.BROKEN_MODEL_STORES,
    *broken_adapters.BROKEN_PAGE_FETCHERS,
    *broken_adapters.BROKEN_PROMPT_COUNTERS,
    *broken_adapters.BROKEN_RESPONSE_STORES,
    *broken_adapters.BROKEN_TASK_RUNNERS,
    *broken_adapters.BROKEN_TEXT_GENERATORS,
    *broken_adapters.BROKEN_TOOL_PROVIDERS,
    *broken_adapters.BROKEN_WEB_SEARCHERS,
    *broken_adapters.BROKEN_WORKSPACES,
)


def test_each_requirement_has_one_test() -> None:
    checked = Counter(requirement_id for contract in CONTRACTS for requirement_id in checks_of(contract).values())
    assert checked == Counter(REQUIREMENTS.keys())


def test_each_requirement_has_a_broken_adapter() -> None:
    assert {breakage.requirement_id for breakage in BREAKAGES} == REQUIREMENTS.keys()


def test_each_test_is_named_after_its_requirement() -> None:
    for contract in CONTRACTS:
        for name, requirement_id in checks_of(contract).items():
            assert name == f"test_{requirement_id.partition('.')[2]}"
