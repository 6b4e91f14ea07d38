"""Definitions of agents as clients and files write them, and the way into the domain and back."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cortex_domain.agents import (
    AGENT_NAME_PATTERN,
    MAX_INSTRUCTIONS_CHARACTERS,
    MAX_STEPS,
    MAX_TOOL_CALLS,
    AgentBudgets,
    AgentDefinition,
)
from cortex_domain.generation import ReasoningEffort, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_domain.tool_execution import ToolEffect
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_domain.tools import ToolChoice
from cortex_entrypoints.http.output_bodies import JsonSchemaOutputBody
from cortex_entrypoints.http.request_bodies import (
    MAX_INTEGER,
    FrequencyPenalty,
    MaxTokens,
    MinP,
    ModelName,
    PresencePenalty,
    ReasoningEffortName,
    RepetitionPenalty,
    Seed,
    Temperature,
    TopK,
    TopP,
    whole_number,
)
from cortex_entrypoints.http.strict_body import Body
from cortex_entrypoints.http.tool_bodies import ToolChoiceBody, ToolName, tool_choice_of

MAX_AGENT_TOOLS = 128
MAX_SUB_AGENTS = 32
_LONGEST_DESCRIPTION = 2_000
_LONGEST_TOOL_PATTERN = 128
_LONGEST_TIME_S = 30 * 86_400.0

AgentName = Annotated[
    str, Field(pattern=AGENT_NAME_PATTERN, description="Lower-case letters, digits, `_` and `-`, up to 64.")
]
Permission = Literal["allow", "ask", "deny"]


class PolicyBody(Body):
    """What the agent may use, and for what a person is asked. The server's own policy holds besides."""

    effects: (
        Annotated[
            dict[Literal["reads_local", "writes_local", "runs_code", "network", "spends"], Permission],
            Field(description="By what a tool does; what is left out keeps its default."),
        ]
        | None
    ) = None
    tools: (
        Annotated[
            dict[ToolName, Permission],
            Field(
                max_length=MAX_AGENT_TOOLS,
                description="By name of the tool, whatever it does.",
                json_schema_extra={"additionalProperties": False},
            ),
        ]
        | None
    ) = None
    allowed_after_untrusted: (
        Annotated[
            list[ToolName],
            Field(
                max_length=MAX_AGENT_TOOLS,
                description="Tools for which nobody is asked although the model has read what strangers wrote.",
            ),
        ]
        | None
    ) = None

    def to_domain(self) -> ToolPolicy:
        """Builds the policy."""
        return ToolPolicy(
            effects={ToolEffect(name): ToolPermission(value) for name, value in (self.effects or {}).items()},
            tools={name: ToolPermission(value) for name, value in (self.tools or {}).items()},
            allowed_after_untrusted=frozenset(self.allowed_after_untrusted or ()),
        )

    @classmethod
    def of_domain(cls, policy: ToolPolicy, /) -> Self:
        """Builds the body of a policy, with every effect."""
        return cls.model_validate(
            {
                "effects": {effect.value: permission.value for effect, permission in sorted(policy.effects.items())},
                "tools": {name: permission.value for name, permission in policy.tools.items()},
                "allowed_after_untrusted": sorted(policy.allowed_after_untrusted),
            }
        )


class BudgetsBody(Body):
    """How much one run may use up; the agents that it asks take theirs from it."""

    steps: (
        Annotated[int, BeforeValidator(whole_number), Field(ge=1, le=MAX_STEPS, description="Answers of the model.")]
        | None
    ) = None
    tool_calls: Annotated[int, BeforeValidator(whole_number), Field(ge=0, le=MAX_TOOL_CALLS)] | None = None
    tokens: (
        Annotated[
            int,
            BeforeValidator(whole_number),
            Field(ge=1, le=MAX_INTEGER, description="Read and written together; not counted if absent."),
        ]
        | None
    ) = None
    seconds: (
        Annotated[
            float,
            Field(
                gt=0, le=_LONGEST_TIME_S, description="Of work; waiting for a person is none. Not counted if absent."
            ),
        ]
        | None
    ) = None

    def to_domain(self) -> AgentBudgets:
        """Builds the budgets."""
        return AgentBudgets(**self.model_dump(exclude_none=True))

    @classmethod
    def of_domain(cls, budgets: AgentBudgets, /) -> Self:
        """Builds the body of budgets."""
        return cls(**{name: getattr(budgets, name) for name in cls.model_fields})


class SamplingBody(Body):
    """How tokens are drawn, as in a chat."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    min_p: MinP | None = None
    seed: Seed | None = None
    repetition_penalty: RepetitionPenalty | None = None
    presence_penalty: PresencePenalty | None = None
    frequency_penalty: FrequencyPenalty | None = None

    def to_domain(self) -> SamplingParameters:
        """Builds the parameters."""
        return SamplingParameters(**self.model_dump(exclude_none=True))

    @classmethod
    def of_domain(cls, sampling: SamplingParameters, /) -> Self:
        """Builds the body of parameters."""
        return cls(**{name: getattr(sampling, name) for name in cls.model_fields})


class AgentBody(Body):
    """An agent: a model with instructions, tools, and bounds to what it may do with them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "archivist",
                    "description": "Finds things in the workspace.",
                    "instructions": "Answer from the files of the workspace only, and name them.",
                    "tools": ["list_files", "read_file", "search_files"],
                    "budgets": {"steps": 10},
                }
            ]
        }
    )

    name: AgentName
    description: (
        Annotated[
            str, Field(max_length=_LONGEST_DESCRIPTION, description="For people, and for agents that may ask it.")
        ]
        | None
    ) = None
    instructions: (
        Annotated[
            str, Field(max_length=MAX_INSTRUCTIONS_CHARACTERS, description="What the model is told before the task.")
        ]
        | None
    ) = None
    model: ModelName | None = None
    tools: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=_LONGEST_TOOL_PATTERN)]],
            Field(max_length=MAX_AGENT_TOOLS, description="Names of tools, or patterns with `*`, `?` and `[…]`."),
        ]
        | None
    ) = None
    policy: PolicyBody | None = None
    budgets: BudgetsBody | None = None
    output: (
        Annotated[JsonSchemaOutputBody, Field(description="What the final answer has to look like; free if absent.")]
        | None
    ) = None
    sub_agents: (
        Annotated[
            list[AgentName], Field(max_length=MAX_SUB_AGENTS, description="Agents that it may ask, each as a tool.")
        ]
        | None
    ) = None
    sampling: SamplingBody | None = None
    max_tokens: MaxTokens | None = None
    reasoning_effort: ReasoningEffortName | None = None
    first_tool_choice: (
        Annotated[
            ToolChoiceBody,
            Field(description="Whether the first step uses tools; later ones are free to. As it sees fit if absent."),
        ]
        | None
    ) = None

    def to_domain(self) -> AgentDefinition:
        """Builds the definition.

        Raises:
            InvalidRequestError: The values break a rule of the domain.
        """
        return AgentDefinition(
            name=self.name,
            description=self.description or "",
            instructions=self.instructions or "",
            model=None if self.model is None else ModelId(self.model),
            tools=tuple(self.tools or ()),
            policy=(self.policy or PolicyBody()).to_domain(),
            budgets=(self.budgets or BudgetsBody()).to_domain(),
            output=None if self.output is None else self.output.to_domain(),
            sub_agents=tuple(self.sub_agents or ()),
            sampling=(self.sampling or SamplingBody()).to_domain(),
            max_tokens=self.max_tokens,
            reasoning_effort=self.reasoning_effort and ReasoningEffort(self.reasoning_effort),
            first_tool_choice=tool_choice_of(self.first_tool_choice),
        )

    @classmethod
    def of_domain(cls, agent: AgentDefinition, /) -> Self:
        """Builds the body of a definition."""
        return cls.model_validate(
            {
                "name": agent.name,
                "description": agent.description,
                "instructions": agent.instructions,
                "model": agent.model,
                "tools": list(agent.tools),
                "policy": PolicyBody.of_domain(agent.policy),
                "budgets": BudgetsBody.of_domain(agent.budgets),
                "output": None if agent.output is None else _output_fields(agent.output),
                "sub_agents": list(agent.sub_agents),
                "sampling": SamplingBody.of_domain(agent.sampling),
                "max_tokens": agent.max_tokens,
                "reasoning_effort": None if agent.reasoning_effort is None else agent.reasoning_effort.value,
                "first_tool_choice": _tool_choice_fields(agent.first_tool_choice),
            }
        )


class AgentDescription(BaseModel):
    """An agent, and what it lacks here."""

    agent: AgentBody
    unavailable_tools: list[str] = Field(
        description="Names and patterns of its tools that nothing here answers to: they are switched off, or unknown."
    )


class AgentList(BaseModel):
    """Every agent that there is."""

    agents: list[AgentDescription]


def write_agent(agent: AgentDefinition, /) -> dict[str, Any]:
    """Writes a definition as the JSON object that `AgentBody` reads."""
    return AgentBody.of_domain(agent).model_dump(mode="json", exclude_none=True, by_alias=True)


def _output_fields(output: JsonSchemaOutput) -> dict[str, Any]:
    return {"type": "json_schema", "schema": dict(output.schema)}


def _tool_choice_fields(choice: ToolChoice) -> str | dict[str, str]:
    return choice.mode.value if choice.name is None else {"name": choice.name}
