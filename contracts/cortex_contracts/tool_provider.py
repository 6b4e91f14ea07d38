"""The contract of `cortex_domain.ports.ToolProvider`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cortex_contracts.checks import checks
from cortex_domain.errors import InvalidToolArgumentsError, ToolFailedError, ToolNotFoundError
from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolOutput

_LONG_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One way to use a tool.

    Attributes:
        name: The tool.
        arguments: What it is told.
    """

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProviderHarness:
    """What the contract needs.

    Attributes:
        provider: The adapter under test.
        working: A use that succeeds at once and returns something.
        wrong: A use whose arguments are not what the tool's parameters say.
        failing: A use that the tool cannot do.
        waiting: A use that tells of progress and then works until it is cancelled.
        times_begun: Tells how often a tool began to do something.
        is_at_work: Tells whether anything of `waiting` is being done.
        missing: A name that no tool has.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    provider: ToolProvider
    working: ToolUse
    wrong: ToolUse
    failing: ToolUse
    waiting: ToolUse
    times_begun: Callable[[], int]
    is_at_work: Callable[[], bool]
    missing: str = "no_such_tool"
    patience_s: float = 60.0


@pytest.mark.asyncio
class ToolProviderContract:
    """Subclass this and define a fixture `harness` that returns a `ToolProviderHarness`."""

    @checks("tool_provider.names_differ")
    async def test_names_differ(self, harness: ToolProviderHarness) -> None:
        """Counts the names of a listing."""
        names = await _names(harness)
        assert len(set(names)) == len(names)

    @checks("tool_provider.order_stays")
    async def test_order_stays(self, harness: ToolProviderHarness) -> None:
        """Compares three listings."""
        first = list(dict.fromkeys(await _names(harness)))
        for _ in range(2):
            assert list(dict.fromkeys(await _names(harness))) == first

    @checks("tool_provider.listed_can_be_used")
    async def test_listed_can_be_used(self, harness: ToolProviderHarness) -> None:
        """Looks for what can be used among what is listed, and uses one."""
        usable = {use.name for use in (harness.working, harness.wrong, harness.failing, harness.waiting)}
        assert usable <= set(await _names(harness))
        output = await _invoke(harness, harness.working)
        assert isinstance(output, ToolOutput)
        assert output.content

    @checks("tool_provider.unknown_refused")
    async def test_unknown_refused(self, harness: ToolProviderHarness) -> None:
        """Uses a tool that nobody has."""
        assert harness.missing not in await _names(harness)
        with pytest.raises(ToolNotFoundError) as caught:
            await _invoke(harness, ToolUse(name=harness.missing, arguments={}))
        assert caught.value.name == harness.missing

    @checks("tool_provider.wrong_arguments_refused")
    async def test_wrong_arguments_refused(self, harness: ToolProviderHarness) -> None:
        """Uses a tool with arguments that it does not take; it must not have begun."""
        before = harness.times_begun()
        with pytest.raises(InvalidToolArgumentsError) as caught:
            await _invoke(harness, harness.wrong)
        assert caught.value.name == harness.wrong.name
        assert caught.value.message
        assert harness.times_begun() == before

    @checks("tool_provider.failure_is_raised")
    async def test_failure_is_raised(self, harness: ToolProviderHarness) -> None:
        """Uses a tool that cannot do what it is asked."""
        with pytest.raises(ToolFailedError) as caught:
            await _invoke(harness, harness.failing)
        assert caught.value.message
        assert caught.value.reason

    @checks("tool_provider.uses_run_side_by_side")
    async def test_uses_run_side_by_side(self, harness: ToolProviderHarness) -> None:
        """Uses tools that work and fail while another use goes on."""
        async with _waiting(harness):
            assert (await _invoke(harness, harness.working)).content
            with contextlib.suppress(ToolFailedError):  # that it is raised is another requirement
                await _invoke(harness, harness.failing)
            await asyncio.sleep(0)
            assert harness.is_at_work()

    @checks("tool_provider.progress_while_running")
    async def test_progress_while_running(self, harness: ToolProviderHarness) -> None:
        """Waits for progress of a use that does not end."""
        told = asyncio.Event()
        async with _waiting(harness, lambda *_: told.set()):
            await told.wait()

    @checks("tool_provider.cancelling_ends_work")
    async def test_cancelling_ends_work(self, harness: ToolProviderHarness) -> None:
        """Cancels a use that goes on, and looks what is left of it at once."""
        async with _waiting(harness):
            pass
        assert not harness.is_at_work()


async def _names(harness: ToolProviderHarness) -> list[str]:
    return [tool.name for tool in await harness.provider.list_tools()]


async def _invoke(
    harness: ToolProviderHarness, use: ToolUse, report: Callable[[str, float | None], None] = lambda *_: None
) -> ToolOutput:
    context = ToolContext(call_id=f"{use.name}-{id(use)}", deadline_s=_LONG_S, report_progress=report)
    return await harness.provider.invoke(use.name, use.arguments, context)


@asynccontextmanager
async def _waiting(
    harness: ToolProviderHarness, report: Callable[[str, float | None], None] = lambda *_: None
) -> AsyncIterator[None]:
    """Runs the waiting use during the block, and cancels it at the end."""
    task = asyncio.create_task(_invoke(harness, harness.waiting, report))
    try:
        while not harness.is_at_work():
            assert not task.done(), "the waiting use has ended"
            await asyncio.sleep(0.001)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled(), "a cancelled use did not end as cancelled"
