"""Agent runs in memory: the contract."""

import pytest

from cortex_contracts.agent_run_store import AgentRunStoreContract, AgentRunStoreHarness
from tests.contracts.harnesses import in_memory_run_harness


class TestInMemoryAgentRunStore(AgentRunStoreContract):
    @pytest.fixture
    async def harness(self) -> AgentRunStoreHarness:
        return await in_memory_run_harness()
