"""What becomes of the tool calls of a model: which are made, which a person is asked about, which are refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cortex_domain.errors import InvalidToolArgumentsError, ToolDeniedError, ToolNotFoundError
from cortex_domain.language_models import nearest_names
from cortex_domain.messages import ToolCallPart
from cortex_domain.tool_execution import ToolCall, ToolDescriptor, ToolError
from cortex_domain.tool_policy import ToolPermission, ToolPolicy, permission_of

MAX_ARGUMENT_BYTES: Final = 1_000_000
"""Longest arguments of one call, as JSON in UTF-8: a file that a tool writes fits, a memory bomb does not."""

_LONGEST_NAME: Final = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolTerms:
    """On what terms tools are used.

    Attributes:
        policies: What decides, all of it: that of whoever runs Cortex, of the agent, of the caller. See
            `permission_of`.
        after_untrusted: Whether the model had read untrusted content when it asked for these calls.
        approved: Ids of the calls that a person has approved, with the arguments that they have now.
        owner: On whose behalf; None when nobody told.
        run_id: The agent run that the calls belong to; None outside of one.
        deadline_s: When all of them are given up, on the clock's `monotonic_s`; None leaves each its own time.
        companions: Names of the tools that a tool may use while it works, as far as nobody has to be asked about them;
            None leaves all.
    """

    policies: tuple[ToolPolicy, ...] = ()
    after_untrusted: bool = False
    approved: frozenset[str] = frozenset()
    owner: str | None = None
    run_id: str | None = None
    deadline_s: float | None = None
    companions: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """What becomes of one call.

    Attributes:
        call: The call.
        tool: Its tool; None when there is none of that name.
        permission: ALLOW: it is made. ASK: a person has to approve it first. DENY: it is not made.
        error: Why it is not made when the permission is DENY; None otherwise.
    """

    call: ToolCall
    tool: ToolDescriptor | None
    permission: ToolPermission
    error: ToolError | None = None


def plan_calls(
    calls: Sequence[ToolCall], tools: Sequence[ToolDescriptor], terms: ToolTerms, /
) -> tuple[PlannedCall, ...]:
    """Decides on each call by itself, in their order.

    All are judged by what the model had read when it asked for them: the result of one cannot have moved it to ask for
    another.
    """
    by_name = {tool.name: tool for tool in tools}
    return tuple(_plan(call, by_name, terms) for call in calls)


def tool_call_of(part: ToolCallPart, /) -> ToolCall:
    """Reads the call that a model wrote.

    Raises:
        InvalidToolArgumentsError: Its arguments are not the JSON of an object.
    """
    try:
        arguments = json.loads(part.arguments or "{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise InvalidToolArgumentsError(
            f"The arguments of {part.name!r} are not a JSON object. Send them again as one.", name=part.name
        )
    return ToolCall(id=part.id, name=part.name, arguments=arguments)


def _plan(call: ToolCall, tools: Mapping[str, ToolDescriptor], terms: ToolTerms) -> PlannedCall:
    tool = tools.get(call.name)
    if tool is None:
        nearest = nearest_names(call.name[:_LONGEST_NAME], tools)
        return _refused(call, None, ToolNotFoundError(name=call.name, nearest=nearest))
    if not _is_within_bounds(call.arguments):
        too_long = f"The arguments of {call.name!r} are no JSON of at most {MAX_ARGUMENT_BYTES} bytes. Send less."
        return _refused(call, tool, InvalidToolArgumentsError(too_long, name=call.name))
    permission = permission_of(tool, terms.policies, after_untrusted=terms.after_untrusted)
    if permission is ToolPermission.DENY:
        return _refused(call, tool, ToolDeniedError(name=call.name))
    is_approved = call.id in terms.approved
    return PlannedCall(call=call, tool=tool, permission=ToolPermission.ALLOW if is_approved else permission)


def _refused(
    call: ToolCall,
    tool: ToolDescriptor | None,
    error: ToolNotFoundError | InvalidToolArgumentsError | ToolDeniedError,
) -> PlannedCall:
    told = ToolError(code=error.code, message=error.message)
    return PlannedCall(call=call, tool=tool, permission=ToolPermission.DENY, error=told)


def _is_within_bounds(arguments: Mapping[str, Any]) -> bool:
    try:
        return len(json.dumps(dict(arguments), ensure_ascii=False, allow_nan=False).encode()) <= MAX_ARGUMENT_BYTES
    except (TypeError, ValueError, RecursionError):
        return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
