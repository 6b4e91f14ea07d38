"""The contract of `cortex_domain.ports.AgentRegistry`. It leaves nothing behind that it did not find.

What a registry tells is checked by `AgentCatalogContract`, which it passes too.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cortex_contracts.checks import checks
from cortex_domain.agents import AgentBudgets, AgentDefinition
from cortex_domain.errors import AgentNotFoundError
from cortex_domain.generation import ReasoningEffort, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_domain.ports import AgentRegistry
from cortex_domain.tool_execution import ToolEffect
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_domain.tools import ToolChoice, ToolChoiceMode

_NAMES = ("contract-a", "contract-b", "contract-c")
_FULL = AgentDefinition(
    name="contract-full",
    description="Ünïcode, and a line\nend.",
    instructions="\"\"\"\n[not] a = table\n'''",
    model=ModelId("fake/parrot"),
    tools=("read_*", "run_python"),
    policy=ToolPolicy(
        effects={ToolEffect.RUNS_CODE: ToolPermission.DENY},
        tools={"read_file": ToolPermission.ASK},
        allowed_after_untrusted=frozenset({"fetch_page", "web_search"}),
    ),
    budgets=AgentBudgets(steps=3, tool_calls=0, tokens=10**6, seconds=0.5),
    output=JsonSchemaOutput(schema={"type": "object", "properties": {"z": {"type": "number"}, "a": True}}),
    sub_agents=("contract-a", "contract-b"),
    sampling=SamplingParameters(temperature=0.0, top_p=1.0, top_k=5, min_p=0.1, seed=2**62, presence_penalty=-1.5),
    max_tokens=100,
    reasoning_effort=ReasoningEffort.LOW,
    first_tool_choice=ToolChoice(mode=ToolChoiceMode.NAMED, name="run_python"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRegistryHarness:
    """What the contract needs.

    Attributes:
        registry: The adapter under test; has nothing whose name begins with `contract-`.
        histories: How many sequences of calls are tried out.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    registry: AgentRegistry
    histories: int = 20
    patience_s: float = 60.0


@pytest.mark.asyncio
class AgentRegistryContract:
    """Subclass this and define a fixture `harness` that returns an `AgentRegistryHarness`."""

    @checks("agent_registry.keeps_what_was_put")
    async def test_keeps_what_was_put(self, harness: AgentRegistryHarness) -> None:
        """Puts an agent that has everything and one that has a name, and compares all fields."""
        for agent in (_FULL, AgentDefinition(name="contract-empty")):
            await harness.registry.put_agent(agent)
            assert await harness.registry.get_agent(agent.name) == agent
            await harness.registry.delete_agent(agent.name)

    @checks("agent_registry.put_again_replaces")
    async def test_put_again_replaces(self, harness: AgentRegistryHarness) -> None:
        """Puts another agent under a name."""
        after = AgentDefinition(name=_FULL.name, instructions="after")
        await harness.registry.put_agent(_FULL)
        await harness.registry.put_agent(after)
        assert await harness.registry.get_agent(_FULL.name) == after
        await harness.registry.delete_agent(_FULL.name)

    @checks("agent_registry.deleted_is_gone")
    async def test_deleted_is_gone(self, harness: AgentRegistryHarness) -> None:
        """Deletes an agent, and asks for it."""
        await harness.registry.put_agent(_FULL)
        await harness.registry.delete_agent(_FULL.name)
        with pytest.raises(AgentNotFoundError):
            await harness.registry.get_agent(_FULL.name)

    @checks("agent_registry.unknown_deletion_refused")
    async def test_unknown_deletion_refused(self, harness: AgentRegistryHarness) -> None:
        """Deletes what is not there, under names of which some are none."""
        for name in ("contract-unknown", "", "../contract-a"):
            with pytest.raises(AgentNotFoundError) as caught:
                await harness.registry.delete_agent(name)
            assert caught.value.name == name

    @checks("agent_registry.state_follows_history")
    async def test_state_follows_history(self, harness: AgentRegistryHarness) -> None:
        """Puts and deletes in many orders, and compares the registry with a dict after each step."""
        loop = asyncio.get_running_loop()

        def wait_for(coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it returns
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

        await asyncio.to_thread(
            run_state_machine_as_test,
            lambda: _History(harness.registry, wait_for),  # type: ignore[arg-type]  # takes functions too
            settings=settings(
                max_examples=harness.histories,
                stateful_step_count=10,
                deadline=None,
                database=None,
                derandomize=True,
            ),
        )


class _History(RuleBasedStateMachine):
    """Runs in a thread of its own, because hypothesis is synchronous, and asks the registry on its event loop."""

    def __init__(self, registry: AgentRegistry, wait_for: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        super().__init__()
        self._registry = registry
        self._wait_for = wait_for
        self._kept: dict[str, AgentDefinition] = {}

    @rule(name=st.sampled_from(_NAMES), steps=st.integers(min_value=1, max_value=9))
    def put(self, name: str, steps: int) -> None:
        agent = replace(_FULL, name=name, budgets=AgentBudgets(steps=steps))
        self._wait_for(self._registry.put_agent(agent))
        self._kept[name] = agent

    @rule(name=st.sampled_from(_NAMES))
    def delete(self, name: str) -> None:
        if self._kept.pop(name, None) is not None:
            self._wait_for(self._registry.delete_agent(name))

    @invariant()
    def agrees(self) -> None:
        listed = self._wait_for(self._registry.list_agents())
        assert {agent.name: agent for agent in listed if agent.name in _NAMES} == self._kept

    def teardown(self) -> None:
        for name in self._kept:
            self._wait_for(self._registry.delete_agent(name))
