"""Who decides whether a tool is used: nobody, a person, or the policy itself."""

from collections.abc import Iterable, Mapping, Sequence
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
    """What somebody says about which tools may be used, and for which a person is asked.

    A tool named in `tools` has that permission; any other has the strictest of those of its effects, and a tool without
    effects is allowed. Once untrusted content was read, what would be allowed is asked for, unless the tool is named in
    `allowed_after_untrusted`: a page can order a model to use any tool.

    Attributes:
        effects: Permissions of effects; those left out are left to other policies and to `DEFAULT_PERMISSIONS`.
        tools: Permissions of single tools, by name.
        allowed_after_untrusted: Names of tools that untrusted content makes no difference to.
    """

    effects: Mapping[ToolEffect, ToolPermission] = field(default_factory=dict, hash=False)
    tools: Mapping[str, ToolPermission] = field(default_factory=dict, hash=False)
    allowed_after_untrusted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "effects", MappingProxyType(dict(self.effects)))
        object.__setattr__(self, "tools", MappingProxyType(dict(self.tools)))

    def permission(self, tool: ToolDescriptor, /, *, after_untrusted: bool) -> ToolPermission:
        """Decides on one use of a tool by this policy alone.

        Args:
            tool: The tool.
            after_untrusted: Whether the model has read untrusted content by now.
        """
        return permission_of(tool, [self], after_untrusted=after_untrusted)

    def stated(self, tool: ToolDescriptor, /) -> ToolPermission | None:
        """Returns what this policy says of a tool, by its name or by some of its effects; None when it says nothing."""
        if tool.name in self.tools:
            return self.tools[tool.name]
        said = [self.effects[effect] for effect in tool.effects if effect in self.effects]
        return strictest(said) if said else None


def permission_of(tool: ToolDescriptor, policies: Sequence[ToolPolicy], /, *, after_untrusted: bool) -> ToolPermission:
    """Decides on one use of a tool by all policies that hold: the strictest of what they say.

    So the policy of an agent or of a key can take away from that of whoever runs Cortex, and never add to it. The
    defaults hold for what nobody speaks of. Only the exemption from asking after untrusted content is anybody's to
    give: it lifts no permission beyond what the policies say.

    Args:
        tool: The tool.
        policies: In any order; none leaves everything to the defaults.
        after_untrusted: Whether the model has read untrusted content by now.
    """
    stated = [said for policy in policies if (said := policy.stated(tool)) is not None]
    permission = strictest([*stated, *_defaults(tool, policies)])
    is_exempt = any(tool.name in policy.allowed_after_untrusted for policy in policies)
    return strictest([permission, ToolPermission.ASK]) if after_untrusted and not is_exempt else permission


def strictest(permissions: Iterable[ToolPermission], /) -> ToolPermission:
    """Returns the permission that lets the least pass; ALLOW when there is none."""
    return max(permissions, key=_STRICTNESS.index, default=ToolPermission.ALLOW)


def _defaults(tool: ToolDescriptor, policies: Sequence[ToolPolicy]) -> Iterable[ToolPermission]:
    """Returns the permissions of those effects that nobody speaks of; who names the tool speaks of all of them."""
    if any(tool.name in policy.tools for policy in policies):
        return []
    spoken_of = {effect for policy in policies for effect in policy.effects}
    return [DEFAULT_PERMISSIONS[effect] for effect in tool.effects - spoken_of]
