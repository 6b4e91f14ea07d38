"""Tool provider that does what a script says."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cortex_adapters.fake.scripted_tool_use import ScriptedToolUse
from cortex_domain.errors import InvalidToolArgumentsError, ToolNotFoundError
from cortex_domain.ports import Clock, ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolJson, ToolOutput

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (Mapping,),
}


class FakeToolProvider(ToolProvider):
    """Offers tools that work by a script; a use that no script has returns its arguments.

    Args:
        tools: What is offered.
        clock: Passes while a tool works.
        script: For each tool by name what its next uses do, in order.

    Attributes:
        uses: Names and arguments of what was begun, in order.
        running: Ids of the calls that are being worked on.
    """

    def __init__(
        self,
        tools: Iterable[ToolDescriptor],
        *,
        clock: Clock,
        script: Mapping[str, Iterable[ScriptedToolUse]] | None = None,
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._clock = clock
        self._script = {name: deque(uses) for name, uses in (script or {}).items()}
        self.uses: list[tuple[str, Mapping[str, Any]]] = []
        self.running: set[str] = set()

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools in the order given."""
        await asyncio.sleep(0)
        return list(self._tools.values())

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        """Does what the script says next."""
        if name not in self._tools:
            raise ToolNotFoundError(name=name)
        _check(arguments, self._tools[name])
        self.uses.append((name, arguments))
        self.running.add(context.call_id)
        try:
            return await self._follow(self._next(name), arguments, context)
        finally:
            self.running.remove(context.call_id)

    def _next(self, name: str) -> ScriptedToolUse:
        script = self._script.get(name)
        return script.popleft() if script else ScriptedToolUse()

    async def _follow(self, use: ScriptedToolUse, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        for message, fraction in use.progress:
            context.report_progress(message, fraction)
            await asyncio.sleep(0)
        if use.delay_s is None:
            await asyncio.get_running_loop().create_future()
        await self._clock.sleep(use.delay_s or 0.0)
        if use.error is not None:
            raise use.error
        return use.output or ToolOutput(content=(ToolJson(value=dict(arguments)),))


def _check(arguments: Mapping[str, Any], tool: ToolDescriptor) -> None:
    """Looks at names and types, which is as much of JSON Schema as a fake needs."""
    problems = "; ".join(_problems(arguments, tool.definition.parameters))
    if problems:
        raise InvalidToolArgumentsError(f"The arguments of {tool.name!r} are wrong. {problems}.", name=tool.name)


def _problems(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    yield from (f"{name}: it is required" for name in schema.get("required", ()) if name not in arguments)
    for name, value in arguments.items():
        if name not in properties:
            if schema.get("additionalProperties") is False:
                yield f"{name}: there is no such parameter"
        elif not _is_of(value, properties[name].get("type")):
            yield f"{name}: it should be of the type {properties[name]['type']}"


def _is_of(value: object, type_name: str | None) -> bool:
    if type_name is None:
        return True
    return isinstance(value, _TYPES[type_name]) and (type_name == "boolean" or not isinstance(value, bool))
