"""What an agent may use in a run, and on whose terms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from cortex_domain.agent_run_events import ApprovalReason
from cortex_domain.agents import MAX_SUB_AGENT_DEPTH, SUB_AGENT_PREFIX, AgentDefinition
from cortex_domain.tool_execution import ToolDescriptor
from cortex_domain.tool_policy import ToolPermission, ToolPolicy, permission_of
from cortex_domain.tools import ToolDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentToolbox:
    """The tools of an agent as they are now.

    Attributes:
        tools: All of them by their names, those that ask other agents included.
        sub_agents: Names of the tools that ask other agents, each with the agent's.
        policies: All that decide on their use.
    """

    tools: Mapping[str, ToolDescriptor] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    sub_agents: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    policies: tuple[ToolPolicy, ...] = ()

    @classmethod
    def of(
        cls,
        agent: AgentDefinition,
        tools: Sequence[ToolDescriptor],
        others: Iterable[AgentDefinition],
        policies: Sequence[ToolPolicy],
        *,
        depth: int,
    ) -> Self:
        """Builds the toolbox of an agent.

        Args:
            agent: Who uses it.
            tools: All that there are.
            others: The agents that it may ask and that there are.
            policies: What decides besides the agent's own policy.
            depth: How many runs are above this one; at the deepest level no agent is asked.
        """
        own = {tool.name: tool for tool in tools if agent.names_tool(tool.name)}
        asked = {SUB_AGENT_PREFIX + other.name: other for other in others if depth < MAX_SUB_AGENT_DEPTH}
        return cls(
            tools=MappingProxyType({**own, **{name: _asking_tool(name, other) for name, other in asked.items()}}),
            sub_agents=MappingProxyType({name: other.name for name, other in asked.items()}),
            policies=(*policies, agent.policy),
        )

    def permission(self, tool: ToolDescriptor, /, *, after_untrusted: bool) -> ToolPermission:
        """Decides on one use of a tool. An agent that is asked is as careful as the one that asks, by its own run."""
        is_wary = after_untrusted and tool.name not in self.sub_agents
        return permission_of(tool, self.policies, after_untrusted=is_wary)

    def reason_to_ask(self, tool: ToolDescriptor, /) -> ApprovalReason:
        """Tells why a person is asked about a tool that would not be allowed as things are."""
        is_allowed = self.permission(tool, after_untrusted=False) is ToolPermission.ALLOW
        return ApprovalReason.AFTER_UNTRUSTED if is_allowed else ApprovalReason.POLICY

    def is_idempotent(self, name: str, /) -> bool:
        """Tells whether a call of this tool may be repeated; a run of another agent goes on where it was."""
        tool = self.tools.get(name)
        return tool is not None and tool.is_idempotent

    @property
    def offered(self) -> tuple[ToolDefinition, ...]:
        """What the model is told of: all but what is denied anyway."""
        allowed = (
            tool
            for tool in self.tools.values()
            if self.permission(tool, after_untrusted=False) is not ToolPermission.DENY
        )
        return tuple(tool.definition for tool in allowed)


def _asking_tool(name: str, agent: AgentDefinition) -> ToolDescriptor:
    task = {"type": "string", "description": "What it has to do, with all that it has to know."}
    definition = ToolDefinition(
        name=name,
        description=f"Asks the agent {agent.name!r} and returns its answer. {agent.description}".strip(),
        parameters={
            "type": "object",
            "properties": {"task": task},
            "required": ["task"],
            "additionalProperties": False,
        },
    )
    return ToolDescriptor(definition=definition, is_idempotent=True)
