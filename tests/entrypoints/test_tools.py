"""Tools of an embedding program and the policy of the settings, wired."""

import logging

import pytest

from cortex_domain.tool_execution import ToolCall, ToolEffect, ToolFinished, ToolJson
from cortex_domain.tool_plan import ToolTerms
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_entrypoints import Settings, open_cortex, tool
from cortex_entrypoints.container import build_container
from cortex_entrypoints.container.lifecycle import Lifecycle
from cortex_entrypoints.container.tools import ToolSource, build_tool_sources, features_of, tool_policy
from cortex_entrypoints.tool_names import unknown_tool_names

FAKE = Settings(default_model="fake/echo")


@tool(effects=[ToolEffect.RUNS_CODE])
async def add(first: int, second: int) -> int:
    """Adds two numbers."""
    return first + second


@tool
def fail() -> None:
    """Fails."""
    raise KeyError("secret")


async def result(name: str, terms: ToolTerms) -> ToolFinished:
    async with open_cortex(FAKE, tools=[add, fail]) as cortex:
        assert [listed.name for listed in await cortex.tool_provider.list_tools()] == ["add", "fail"]
        call = ToolCall(id="c1", name=name, arguments={"first": 1, "second": 2} if name == "add" else {})
        async with cortex.execute_tools([call], terms) as events:
            finished = [event async for event in events][-1]
    assert isinstance(finished, ToolFinished)
    return finished


async def test_a_program_gives_cortex_its_own_tools() -> None:
    policy = ToolPolicy(tools={"add": ToolPermission.ALLOW})
    assert (await result("add", ToolTerms(policies=(policy,)))).content == (ToolJson(value=3),)
    assert (await result("add", ToolTerms())).attempts == 0


async def test_the_log_has_the_traceback_of_a_tools_bug_and_the_model_has_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        finished = await result("fail", ToolTerms())
    assert finished.error is not None
    assert finished.error.code == "internal_error"
    assert "secret" not in finished.error.message
    assert "the tool fail failed" in caplog.text
    assert "KeyError: 'secret'" in caplog.text


def test_two_tools_of_one_name_are_refused_when_cortex_is_built() -> None:
    with pytest.raises(ValueError, match="2 tools are named 'add'"):
        build_container(FAKE, tools=[add, add]).cortex()


def test_the_settings_are_a_policy_and_the_strictest_line_holds() -> None:
    settings = Settings(
        tools_allow=("writes_local", "run_python", "x"),
        tools_ask=("network",),
        tools_deny=("x", "spends"),
        tools_allow_after_untrusted=("fetch_page",),
    )
    assert tool_policy(settings) == ToolPolicy(
        effects={
            ToolEffect.WRITES_LOCAL: ToolPermission.ALLOW,
            ToolEffect.NETWORK: ToolPermission.ASK,
            ToolEffect.SPENDS: ToolPermission.DENY,
        },
        tools={"run_python": ToolPermission.ALLOW, "x": ToolPermission.DENY},
        allowed_after_untrusted=frozenset({"fetch_page"}),
    )


async def test_names_that_mean_nothing_are_found() -> None:
    settings = Settings(
        default_model="fake/echo",
        tools_allow=("network", "ad"),
        tools_ask=("add",),
        tools_deny=("subtract",),
        tools_allow_after_untrusted=("ad",),
    )
    async with open_cortex(settings, tools=[add]) as cortex:
        assert await unknown_tool_names(settings, cortex.tool_provider) == ["ad", "subtract"]


def test_without_flags_there_is_nothing_built_in() -> None:
    sources = build_tool_sources(Settings(), [])
    assert features_of(Settings(), sources) == frozenset()


class _Part:
    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    async def start(self) -> None:
        self.log.append(f"start {self.name}")

    async def stop(self) -> None:
        self.log.append(f"stop {self.name}")


async def test_sources_are_started_after_the_engine_and_stopped_before_it() -> None:
    log: list[str] = []
    container = build_container(FAKE)
    source = _Part(log, "tools")
    lifecycle = Lifecycle(
        engine=_Part(log, "engine"),
        idle_unloading=container.idle_unloading(),
        tool_sources=[ToolSource(provider=container.tool_provider(), start=source.start, stop=source.stop)],
        agent_runs=container.agent_runs(),
        agent_run_store=container.agent_run_store(),
    )
    await lifecycle.start()
    await lifecycle.stop()
    assert log == ["start engine", "start tools", "stop tools", "stop engine"]


async def test_a_source_that_does_not_stop_keeps_nobody_from_stopping(caplog: pytest.LogCaptureFixture) -> None:
    async def fail_to_stop() -> None:
        raise OSError("stuck")

    log: list[str] = []
    container = build_container(FAKE)
    source = ToolSource(provider=container.tool_provider(), stop=fail_to_stop)
    lifecycle = Lifecycle(
        engine=_Part(log, "engine"),
        idle_unloading=container.idle_unloading(),
        tool_sources=[source],
        agent_runs=container.agent_runs(),
        agent_run_store=container.agent_run_store(),
    )
    await lifecycle.start()
    await lifecycle.stop()
    assert log == ["start engine", "stop engine"]
    assert "a source of tools did not stop" in caplog.text
