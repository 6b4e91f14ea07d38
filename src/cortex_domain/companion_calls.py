"""Lets a tool use other tools while it works, on the terms on which it is used itself."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import CompanionTools, ToolCall, ToolDescriptor, ToolError, ToolFinished
from cortex_domain.tool_plan import PlannedCall, ToolTerms, plan_calls
from cortex_domain.tool_policy import ToolPermission

MOST_COMPANION_CALLS: Final = 100
"""Uses of other tools within one use of a tool."""

MakeCall = Callable[[ToolCall, ToolDescriptor, ToolTerms], Awaitable[ToolFinished]]


class CompanionCalls(CompanionTools):
    """The companions of one call.

    A person who approves a call does not approve what it calls, and nobody can be asked in the middle of it. So
    companions are the tools that need no approval, and of these the ones that may run beside others and be repeated:
    the call that uses them may be repeated too. Once one of them returned untrusted content, the policies are asked
    again as after untrusted content.

    Args:
        call: The call.
        terms: On what terms it is made.
        provider: Offers the tools.
        make_call: Makes a call that may be made.
    """

    def __init__(self, call: ToolCall, terms: ToolTerms, *, provider: ToolProvider, make_call: MakeCall) -> None:
        self._call = call
        self._terms = replace(terms, approved=frozenset())
        self._provider = provider
        self._make_call = make_call
        self._calls = 0
        self.has_read_untrusted = False

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools that may be used now."""
        tools = await self._provider.list_tools()
        calls = [ToolCall(id=tool.name, name=tool.name, arguments={}) for tool in tools]
        return tuple(
            planned.tool
            for planned in plan_calls(calls, tools, self._terms)
            if planned.tool is not None and self._is_companion(planned)
        )

    async def use(self, name: str, arguments: Mapping[str, Any], /) -> ToolFinished:
        """Uses one of them."""
        self._calls += 1
        call = ToolCall(id=f"{self._call.id}.{self._calls}", name=name, arguments=arguments)
        [planned] = plan_calls([call], await self._provider.list_tools(), self._terms)
        if planned.error is not None:
            return _refused(call, planned.error)
        if planned.tool is None or not self._is_companion(planned):
            return _refused(call, _needs_a_call_of_its_own(name))
        if self._calls > MOST_COMPANION_CALLS:
            return _refused(call, _too_many())
        finished = await self._make_call(call, planned.tool, self._terms)
        if not finished.is_trusted:
            self.has_read_untrusted = True
            self._terms = replace(self._terms, after_untrusted=True)
        return finished

    def _is_companion(self, planned: PlannedCall) -> bool:
        tool, named = planned.tool, self._terms.companions
        if tool is None or tool.name == self._call.name or (named is not None and tool.name not in named):
            return False
        return tool.is_idempotent and tool.is_concurrent and planned.permission is ToolPermission.ALLOW


def _refused(call: ToolCall, error: ToolError) -> ToolFinished:
    return ToolFinished(call_id=call.id, name=call.name, status="error", error=error, attempts=0)


def _needs_a_call_of_its_own(name: str) -> ToolError:
    return ToolError(code="not_from_here", message=f"{name!r} cannot be used by another tool. Call it by itself.")


def _too_many() -> ToolError:
    message = f"One use of a tool can use others {MOST_COMPANION_CALLS} times at most."
    return ToolError(code="too_many_calls", message=message)
