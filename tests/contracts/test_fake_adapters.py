"""The fakes keep the contracts of the ports that they stand for."""

from collections.abc import AsyncIterator

import pytest

from cortex_adapters.fake import HONOURED
from cortex_contracts.clock import ClockContract, ClockHarness
from cortex_contracts.code_executor import CodeExecutorContract, CodeExecutorHarness
from cortex_contracts.engine_monitor import EngineMonitorContract
from cortex_contracts.generation_suspender import GenerationSuspenderContract, GenerationSuspenderHarness
from cortex_contracts.model_loader import ModelLoaderContract, ModelLoaderHarness
from cortex_contracts.model_store import ModelStoreContract, ModelStoreHarness
from cortex_contracts.page_fetcher import PageFetcherContract, PageFetcherHarness
from cortex_contracts.prompt_counter import PromptCounterContract, PromptCounterHarness
from cortex_contracts.text_generator import TextGeneratorContract
from cortex_contracts.tool_provider import ToolProviderContract, ToolProviderHarness
from cortex_contracts.web_searcher import WebSearcherContract, WebSearcherHarness
from cortex_contracts.workspace import WorkspaceContract, WorkspaceHarness
from cortex_domain.language_models import MODALITIES
from tests.contracts.fake_code import fake_code_harness
from tests.contracts.harnesses import (
    fake_clock_harness,
    fake_counter_harness,
    fake_engine_harness,
    fake_fetcher_harness,
    fake_searcher_harness,
    fake_store_harness,
    fake_suspender_harness,
    fake_tool_harness,
    fake_workspace_harness,
)


class TestFakeTextGenerator(TextGeneratorContract):
    @pytest.fixture
    async def harness(self) -> ModelLoaderHarness:
        return await fake_engine_harness()


class TestFakeTextGeneratorThatDeclaresNothing(TextGeneratorContract):
    @pytest.fixture
    async def harness(self) -> ModelLoaderHarness:
        return await fake_engine_harness(capabilities=())


class TestFakeTextGeneratorThatDeclaresAll(TextGeneratorContract):
    @pytest.fixture
    async def harness(self) -> ModelLoaderHarness:
        return await fake_engine_harness(capabilities=HONOURED | MODALITIES)


class TestFakeGenerationSuspender(GenerationSuspenderContract):
    @pytest.fixture
    async def harness(self) -> GenerationSuspenderHarness:
        return await fake_suspender_harness()


class TestFakeGenerationSuspenderThatDeclaresNothing(GenerationSuspenderContract):
    @pytest.fixture
    async def harness(self) -> GenerationSuspenderHarness:
        return await fake_suspender_harness(capabilities=())


class TestFakePromptCounter(PromptCounterContract):
    @pytest.fixture
    async def harness(self) -> PromptCounterHarness:
        return await fake_counter_harness()


class TestFakePromptCounterThatDeclaresNothing(PromptCounterContract):
    @pytest.fixture
    async def harness(self) -> PromptCounterHarness:
        return await fake_counter_harness(capabilities=())


class TestFakeModelLoader(ModelLoaderContract):
    @pytest.fixture
    async def harness(self) -> ModelLoaderHarness:
        return await fake_engine_harness()


class TestFakeModelLoaderThatHonoursNoOptions(ModelLoaderContract):
    @pytest.fixture
    async def harness(self) -> ModelLoaderHarness:
        return await fake_engine_harness(honours_options=False)


class TestFakeEngineMonitor(EngineMonitorContract):
    @pytest.fixture
    async def harness(self) -> ModelLoaderHarness:
        return await fake_engine_harness()


class TestFakeModelStore(ModelStoreContract):
    @pytest.fixture
    async def harness(self) -> ModelStoreHarness:
        return await fake_store_harness()


class TestFakeClock(ClockContract):
    @pytest.fixture
    async def harness(self) -> ClockHarness:
        return await fake_clock_harness()


class TestFakePageFetcher(PageFetcherContract):
    @pytest.fixture
    async def harness(self) -> PageFetcherHarness:
        return await fake_fetcher_harness()


class TestFakeWebSearcher(WebSearcherContract):
    @pytest.fixture
    async def harness(self) -> WebSearcherHarness:
        return await fake_searcher_harness()


class TestFakeToolProvider(ToolProviderContract):
    @pytest.fixture
    async def harness(self) -> ToolProviderHarness:
        return await fake_tool_harness()


class TestFakeWorkspace(WorkspaceContract):
    @pytest.fixture
    async def harness(self) -> WorkspaceHarness:
        return await fake_workspace_harness()


class TestFakeCodeExecutor(CodeExecutorContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[CodeExecutorHarness]:
        with fake_code_harness() as build:
            yield await build()
