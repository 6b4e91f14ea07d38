import math
from typing import Any

import pytest

from cortex_domain.agents import AgentBudgets, AgentDefinition
from cortex_domain.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("build", "wrong", "parameter"),
    [
        (AgentBudgets, {"steps": 0}, "budgets.steps"),
        (AgentBudgets, {"steps": 1001}, "budgets.steps"),
        (AgentBudgets, {"tool_calls": -1}, "budgets.tool_calls"),
        (AgentBudgets, {"tokens": 0}, "budgets.tokens"),
        (AgentBudgets, {"seconds": 0.0}, "budgets.seconds"),
        (AgentBudgets, {"seconds": math.inf}, "budgets.seconds"),
        (AgentDefinition, {"name": ""}, "name"),
        (AgentDefinition, {"name": "Mole"}, "name"),
        (AgentDefinition, {"name": "mole\n"}, "name"),
        (AgentDefinition, {"name": "a" * 65}, "name"),
        (AgentDefinition, {"name": "mole", "sub_agents": ("../rat",)}, "sub_agents"),
        (AgentDefinition, {"name": "mole", "instructions": "a" * 100_001}, "instructions"),
        (AgentDefinition, {"name": "mole", "max_tokens": 0}, "max_tokens"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(build: Any, wrong: dict[str, object], parameter: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        build(**wrong)
    assert caught.value.parameter == parameter


def test_tools_are_named_or_matched() -> None:
    agent = AgentDefinition(name="mole", tools=("dig", "read_*"))
    assert [agent.names_tool(name) for name in ("dig", "read_file", "digger", "Read_file")] == [
        True,
        True,
        False,
        False,
    ]


def test_budgets_within_others_are_the_smaller_ones() -> None:
    agent = AgentDefinition(name="mole", budgets=AgentBudgets(steps=5, tool_calls=9, tokens=None, seconds=10.0))
    small = agent.within(steps=0, tool_calls=-1, tokens=70, seconds=20.0)
    assert small.budgets == AgentBudgets(steps=1, tool_calls=0, tokens=70, seconds=10.0)
    assert agent.within(steps=25, tool_calls=50, tokens=None, seconds=None) == agent
