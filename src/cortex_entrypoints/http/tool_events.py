"""Events of tools in a stream, as clients read them."""

from typing import Literal, Self

from pydantic import Field

from cortex_domain.tool_execution import ToolFinished
from cortex_entrypoints.http.tool_answers import ToolInvocation


class ToolResultEvent(ToolInvocation):
    """What came of a call; each call has exactly one."""

    type: Literal["tool_result"] = "tool_result"
    call_id: str
    name: str = Field(description="The tool.")

    @classmethod
    def of_finished(cls, finished: ToolFinished, /) -> Self:
        """Builds the event of a result."""
        return cls(call_id=finished.call_id, name=finished.name, **vars(ToolInvocation.of(finished)))
