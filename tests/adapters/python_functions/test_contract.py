"""Functions, `async` or on threads, are tools as the port has it, alone and among others."""

import asyncio

import pytest

from cortex_adapters.combined import CombinedToolProvider
from cortex_adapters.python_functions import FunctionToolProvider, tool
from cortex_contracts.tool_provider import ToolProviderContract, ToolProviderHarness, ToolUse
from cortex_domain.errors import ToolFailedError
from cortex_domain.tool_execution import ToolContext


class Work:
    """What functions have done and are doing."""

    begun = 0
    steps = 0
    is_waiting = False


def harness_of(provider: FunctionToolProvider | CombinedToolProvider, work: Work) -> ToolProviderHarness:
    return ToolProviderHarness(
        provider=provider,
        working=ToolUse(name="double", arguments={"number": 1}),
        wrong=ToolUse(name="double", arguments={"number": "one"}),
        failing=ToolUse(name="fail", arguments={}),
        waiting=ToolUse(name="wait", arguments={}),
        times_begun=lambda: work.begun,
        is_at_work=lambda: work.is_waiting,
    )


def async_functions(work: Work) -> FunctionToolProvider:
    @tool
    async def double(number: int) -> int:
        work.begun += 1
        return 2 * number

    @tool
    async def fail() -> None:
        raise ToolFailedError("It cannot be done.")

    @tool
    async def wait(context: ToolContext) -> None:
        work.is_waiting = True
        try:
            context.report_progress("on it", 0.5)
            await asyncio.Event().wait()
        finally:
            work.is_waiting = False

    return FunctionToolProvider([double, fail, wait])


def functions_on_threads(work: Work) -> FunctionToolProvider:
    @tool
    def double(number: int) -> int:
        work.begun += 1
        return 2 * number

    @tool
    def fail() -> None:
        raise ToolFailedError("It cannot be done.")

    @tool
    def wait(context: ToolContext) -> None:
        work.is_waiting = True
        try:
            context.report_progress("on it", 0.5)
            while True:
                work.steps += 1
        finally:
            work.is_waiting = False

    return FunctionToolProvider([double, fail, wait])


class TestAsyncFunctions(ToolProviderContract):
    @pytest.fixture
    async def harness(self) -> ToolProviderHarness:
        work = Work()
        return harness_of(async_functions(work), work)


class TestFunctionsOnThreads(ToolProviderContract):
    @pytest.fixture
    async def harness(self) -> ToolProviderHarness:
        work = Work()
        return harness_of(functions_on_threads(work), work)


class TestCombinedToolProvider(ToolProviderContract):
    @pytest.fixture
    async def harness(self) -> ToolProviderHarness:
        work = Work()

        @tool
        def stand_by() -> None: ...

        return harness_of(CombinedToolProvider([FunctionToolProvider([stand_by]), async_functions(work)]), work)
