"""Agents: a model with instructions, tools, and bounds to what it may do with them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import isfinite
from typing import Self, TypeVar

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import ReasoningEffort, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_domain.tool_policy import ToolPolicy
from cortex_domain.tools import ToolChoice

LimitT = TypeVar("LimitT", int, float)

AGENT_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
"""What can name an agent, as a regular expression that JSON Schema understands too."""
MAX_INSTRUCTIONS_CHARACTERS = 100_000
MAX_STEPS = 1_000
MAX_TOOL_CALLS = 10_000
SUB_AGENT_PREFIX = "ask_"
"""An agent asks another one by a tool of this prefix and the other's name."""
MAX_SUB_AGENT_DEPTH = 3
"""Agents that ask each other in a chain, below the one that was started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBudgets:
    """How much one run may use up, that of the agents that it asks included.

    Attributes:
        steps: Answers of the model, 1 to 1,000. The last one may use no tool, so that there is an answer.
        tool_calls: Tool calls that are carried out, 0 to 10,000. Further ones are refused, and the model answers.
        tokens: Tokens read and written in all steps together, at least 1; None does not count. The step that reaches it
            may go over it by the length of its prompt.
        seconds: Time that is worked on the run, above 0; None does not count. Waiting for a person is no work.
    """

    steps: int = 25
    tool_calls: int = 50
    tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        _require(1 <= self.steps <= MAX_STEPS, f"steps must be 1 to {MAX_STEPS}", "budgets.steps")
        _require(
            0 <= self.tool_calls <= MAX_TOOL_CALLS, f"tool_calls must be 0 to {MAX_TOOL_CALLS}", "budgets.tool_calls"
        )
        _require(self.tokens is None or self.tokens >= 1, "tokens must be at least 1", "budgets.tokens")
        is_time = self.seconds is None or (isfinite(self.seconds) and self.seconds > 0)
        _require(is_time, "seconds must be above 0", "budgets.seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition:
    """What an agent is; a run keeps the definition that it began with.

    Attributes:
        name: 1 to 64 lower-case letters, digits, `_` and `-`, beginning with a letter or digit.
        description: What it is good for, for people and for agents that may ask it; may be empty.
        instructions: What the model is told before the task, up to 100,000 characters; may be empty.
        model: Id or alias of its model; None takes the default one.
        tools: Names of its tools, or patterns of `*`, `?` and `[…]`. What names no tool that there is gives none.
        policy: Which of them it may use, and for which a person is asked.
        budgets: How much a run may use up.
        output: What its final answer has to look like; None leaves that to the model.
        sub_agents: Names of the agents that it may ask.
        sampling: How tokens are drawn.
        max_tokens: Longest answer of one step in tokens, at least 1. None leaves it to the text generator.
        reasoning_effort: How long the model may think in each step. None leaves it to the model.
        first_tool_choice: Whether the model uses tools in the first step, and which; it is free in all others. Small
            models answer from memory unless the first step has to call a tool.
    """

    name: str
    description: str = ""
    instructions: str = ""
    model: ModelId | None = None
    tools: tuple[str, ...] = ()
    policy: ToolPolicy = field(default_factory=ToolPolicy)
    budgets: AgentBudgets = field(default_factory=AgentBudgets)
    output: JsonSchemaOutput | None = None
    sub_agents: tuple[str, ...] = ()
    sampling: SamplingParameters = field(default_factory=SamplingParameters)
    max_tokens: int | None = None
    reasoning_effort: ReasoningEffort | None = None
    first_tool_choice: ToolChoice = field(default_factory=ToolChoice)

    def __post_init__(self) -> None:
        for name, parameter in ((self.name, "name"), *((other, "sub_agents") for other in self.sub_agents)):
            _require_agent_name(name, parameter)
        _require(
            len(self.instructions) <= MAX_INSTRUCTIONS_CHARACTERS,
            f"instructions have at most {MAX_INSTRUCTIONS_CHARACTERS} characters",
            "instructions",
        )
        _require(self.max_tokens is None or self.max_tokens >= 1, "max_tokens must be at least 1", "max_tokens")

    def names_tool(self, name: str, /) -> bool:
        """Tells whether a tool of this name is one of the agent's."""
        return any(fnmatchcase(name, pattern) for pattern in self.tools)

    def within(self, *, steps: int, tool_calls: int, tokens: int | None, seconds: float | None) -> Self:
        """Builds the same agent with budgets that go no further than these, as far as budgets can be so small."""
        budgets = AgentBudgets(
            steps=max(1, min(self.budgets.steps, steps)),
            tool_calls=max(0, min(self.budgets.tool_calls, tool_calls)),
            tokens=_least((self.budgets.tokens, tokens)),
            seconds=_least((self.budgets.seconds, seconds)),
        )
        return replace(self, budgets=budgets)


def _least(limits: Iterable[LimitT | None]) -> LimitT | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _require_agent_name(name: str, parameter: str) -> None:
    is_name = re.match(AGENT_NAME_PATTERN, name) is not None and "\n" not in name
    rule = f"{name[:80]!r} cannot name an agent: use up to 64 lower-case letters, digits, '_' and '-'"
    _require(is_name, rule, parameter)


def _require(holds: bool, rule: str, parameter: str) -> None:
    if not holds:
        raise InvalidRequestError(f"{rule}.", parameter=parameter)
