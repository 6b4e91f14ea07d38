"""A tool may use others, as far as nobody would have to be asked about them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cortex_adapters.fake import FakeClock, FakeToolProvider
from cortex_adapters.system import AsyncioTaskRunner
from cortex_domain.companion_calls import MOST_COMPANION_CALLS
from cortex_domain.errors import ToolFailedError
from cortex_domain.tool_execution import (
    CompanionTools,
    ToolCall,
    ToolContext,
    ToolDescriptor,
    ToolEffect,
    ToolEvent,
    ToolFinished,
    ToolJson,
    ToolOutput,
)
from cortex_domain.tool_plan import ToolTerms
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_domain.tools import ToolDefinition
from cortex_domain.use_cases import ExecuteTools, UseTool


def tool(name: str, *effects: ToolEffect, **facts: Any) -> ToolDescriptor:
    kept = {"is_idempotent": True, "is_concurrent": True, **facts}
    return ToolDescriptor(definition=ToolDefinition(name=name), effects=frozenset(effects), **kept)


TOOLS = [
    tool("code", is_idempotent=False),
    tool("look"),
    tool("page", ToolEffect.NETWORK, is_trusted=False),
    tool("write", ToolEffect.WRITES_LOCAL),
    tool("count", is_idempotent=False),
    tool("alone", is_concurrent=False),
]


class Leading(FakeToolProvider):
    """Its tool `code` uses those that it is told to, and returns what they returned."""

    def __init__(self, wanted: Sequence[str], *, fails: bool = False) -> None:
        super().__init__(TOOLS, clock=FakeClock(auto_advance=True))
        self.wanted = wanted
        self.fails = fails
        self.listed: list[str] = []
        self.results: list[ToolFinished] = []
        self.deadlines_s: list[float] = []

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        self.deadlines_s.append(context.deadline_s)
        if name != "code":
            return await super().invoke(name, arguments, context)
        companions = context.companions
        assert companions is not None
        await self._use(companions)
        if self.fails:
            raise ToolFailedError("No.")
        return ToolOutput(content=(ToolJson(value=len(self.results)),))

    async def _use(self, companions: CompanionTools) -> None:
        self.listed = [tool.name for tool in await companions.list_tools()]
        for number, wanted in enumerate(self.wanted):
            self.results.append(await companions.use(wanted, {"n": number}))


async def lead(provider: Leading, terms: ToolTerms = ToolTerms()) -> list[ToolEvent]:
    runner = AsyncioTaskRunner()
    use_tool = UseTool(
        provider=provider,
        runner=runner,
        clock=FakeClock(auto_advance=True),
        report_bug=lambda _, error: pytest.fail(str(error)),
    )
    execute_tools = ExecuteTools(provider=provider, use_tool=use_tool, runner=runner)
    async with execute_tools([ToolCall(id="c1", name="code", arguments={})], terms) as events:
        return [event async for event in events]


async def test_companions_are_what_may_be_repeated_beside_others_and_needs_no_approval() -> None:
    provider = Leading([])
    await lead(provider)
    assert provider.listed == ["look", "page"]


async def test_their_events_are_not_told_and_their_results_are() -> None:
    provider = Leading(["look", "look"])
    events = await lead(provider, ToolTerms(deadline_s=20.0))
    assert [(event.type, event.call_id) for event in events] == [("tool_started", "c1"), ("tool_result", "c1")]
    assert [(result.call_id, result.status) for result in provider.results] == [("c1.1", "ok"), ("c1.2", "ok")]
    assert provider.uses == [("look", {"n": 0}), ("look", {"n": 1})]
    assert set(provider.deadlines_s) == {20.0}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("write", "not_from_here"), ("count", "not_from_here"), ("code", "not_from_here"), ("none", "tool_not_found")],
)
async def test_what_is_no_companion_is_refused(wanted: str, code: str) -> None:
    provider = Leading([wanted])
    await lead(provider)
    [result] = provider.results
    assert result.error is not None
    assert (result.error.code, provider.uses) == (code, [])


async def test_an_approval_is_for_the_call_alone() -> None:
    provider = Leading(["write"])
    policy = ToolPolicy(tools={"code": ToolPermission.ASK})
    await lead(provider, ToolTerms(policies=(policy,), approved=frozenset({"c1", "c1.1"})))
    assert [result.status for result in provider.results] == ["error"]


async def test_only_those_that_are_named_are_companions() -> None:
    provider = Leading(["look"])
    await lead(provider, ToolTerms(companions=frozenset({"code", "page"})))
    assert provider.listed == ["page"]
    assert [result.status for result in provider.results] == ["error"]


@pytest.mark.parametrize("fails", [False, True])
async def test_untrusted_content_ends_what_would_be_asked_for_then(fails: bool) -> None:
    provider = Leading(["look", "page", "look"], fails=fails)
    finished = (await lead(provider))[-1]
    assert [result.status for result in provider.results] == ["ok", "ok", "error"]
    assert isinstance(finished, ToolFinished)
    assert not finished.is_trusted


async def test_there_is_an_end_to_them() -> None:
    provider = Leading(["look"] * (MOST_COMPANION_CALLS + 1))
    await lead(provider)
    assert [result.error.code for result in provider.results if result.error] == ["too_many_calls"]
