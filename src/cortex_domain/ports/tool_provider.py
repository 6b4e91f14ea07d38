"""Port: offers tools and uses them."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput


class ToolProvider(Protocol):
    """A set of tools that belong together.

    Contract:
        - The names in one listing differ from each other. What is listed can be used, and nothing else.
        - Arguments that the tool's parameters do not allow are refused before the tool does anything.
        - A use that fails raises; a failure is never an output.
        - Uses run side by side. What one of them raises ends that use and no other.
        - Progress is told while the use runs.
        - Cancelling a use ends its work; nothing of it runs when the cancellation has passed on.
    """

    @abstractmethod
    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools that there are now, in an order that stays."""

    @abstractmethod
    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        """Uses a tool.

        Raises:
            ToolNotFoundError: There is no such tool, or no longer.
            InvalidToolArgumentsError: The arguments are not what its parameters say; the message says to the model
                what to write instead.
            ToolFailedError: It could not do what was asked.
        """
