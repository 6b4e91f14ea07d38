"""Tool provider over functions."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cortex_adapters.python_functions.function_tool import FunctionTool
from cortex_domain.errors import ToolNotFoundError
from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput


class FunctionToolProvider(ToolProvider):
    """Offers functions that `tool` decorates, in the order in which they are given.

    Args:
        tools: The functions.

    Raises:
        ValueError: Two of them have the same name.
    """

    def __init__(self, tools: Iterable[FunctionTool[..., Any]]) -> None:
        given = tuple(tools)
        for name, times in Counter(tool.descriptor.name for tool in given).items():
            if times > 1:
                raise ValueError(f"{times} tools are named {name!r}; give each a name of its own: @tool(name=…)")
        self._tools = {tool.descriptor.name: tool for tool in given}

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools in their order."""
        return [tool.descriptor for tool in self._tools.values()]

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        """Calls a function."""
        if name not in self._tools:
            raise ToolNotFoundError(name=name)
        return await self._tools[name].invoke(arguments, context)
