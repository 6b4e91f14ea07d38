import pytest

from cortex_contracts.task_runner import TaskRunnerContract, TaskRunnerHarness
from tests.contracts.harnesses import asyncio_runner_harness


class TestAsyncioTaskRunner(TaskRunnerContract):
    @pytest.fixture
    async def harness(self) -> TaskRunnerHarness:
        return await asyncio_runner_harness()
