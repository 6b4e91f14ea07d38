"""Tool provider over functions."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cortex_adapters.python_functions.function_tool import FunctionTool
from cortex_domain.errors import ToolNotFoundError
from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput

MOST_THREADS: Final = 32
"""Functions that are not `async` and run at once; further calls wait within their time."""


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
        self._threads = asyncio.Semaphore(MOST_THREADS)

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools in their order."""
        return [tool.descriptor for tool in self._tools.values()]

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        """Calls a function."""
        if name not in self._tools:
            raise ToolNotFoundError(name=name)
        tool = self._tools[name]
        if not tool.needs_thread:
            return await tool.invoke(arguments, context)
        async with self._threads:
            return await tool.invoke(arguments, context)
