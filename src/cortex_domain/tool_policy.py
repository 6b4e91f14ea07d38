"""Who decides whether a tool is used: nobody, a person, or the policy itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from cortex_domain.tool_execution import ToolDescriptor, ToolEffect


class ToolPermission(StrEnum):
    """ALLOW: it is used. ASK: a person is asked first. DENY: it is not used, and the model is told so."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


_STRICTNESS = tuple(ToolPermission)

DEFAULT_PERMISSIONS: Mapping[ToolEffect, ToolPermission] = MappingProxyType(
    {
        ToolEffect.READS_LOCAL: ToolPermission.ALLOW,
        ToolEffect.WRITES_LOCAL: ToolPermission.ASK,
        ToolEffect.RUNS_CODE: ToolPermission.ASK,
        ToolEffect.NETWORK: ToolPermission.ALLOW,
        ToolEffect.SPENDS: ToolPermission.ASK,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPolicy:
    """Which tools may be used, and for which a person is asked.

    A tool named in `tools` has that permission; any other has the strictest of those of its effects, and a tool without
    effects is allowed. Once untrusted content was read, what would be allowed is asked for, unless the tool is named in
    `allowed_after_untrusted`: a page can order a model to use any tool.

    Attributes:
        effects: Permission of each effect; effects left out keep `DEFAULT_PERMISSIONS`.
        tools: Permissions of single tools, by name.
        allowed_after_untrusted: Names of tools that untrusted content makes no difference to.
    """

    effects: Mapping[ToolEffect, ToolPermission] = field(default_factory=dict, hash=False)
    tools: Mapping[str, ToolPermission] = field(default_factory=dict, hash=False)
    allowed_after_untrusted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "effects", MappingProxyType({**DEFAULT_PERMISSIONS, **self.effects}))
        object.__setattr__(self, "tools", MappingProxyType(dict(self.tools)))

    def permission(self, tool: ToolDescriptor, /, *, after_untrusted: bool) -> ToolPermission:
        """Decides on one use of a tool.

        Args:
            tool: The tool.
            after_untrusted: Whether the model has read untrusted content by now.
        """
        stated = self.tools.get(tool.name) or strictest(self.effects[effect] for effect in tool.effects)
        if after_untrusted and tool.name not in self.allowed_after_untrusted:
            return strictest([stated, ToolPermission.ASK])
        return stated


def strictest(permissions: Iterable[ToolPermission], /) -> ToolPermission:
    """Returns the permission that lets the least pass; ALLOW when there is none."""
    return max(permissions, key=_STRICTNESS.index, default=ToolPermission.ALLOW)
