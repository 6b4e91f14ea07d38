"""What a function returned, as the output of a tool."""

from typing import get_args

from pydantic_core import to_jsonable_python

from cortex_domain.tool_execution import ToolContent, ToolJson, ToolOutput, ToolText

_CONTENT: tuple[type, ...] = get_args(ToolContent)


def output_of(value: object, /) -> ToolOutput:
    """Makes an output of whatever a function returned.

    Raises:
        ValueError: JSON cannot say the value; pydantic's own subclass of it, as a rule.
    """
    if isinstance(value, ToolOutput):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(item, _CONTENT) for item in value):
        return ToolOutput(content=tuple(value))
    return ToolOutput(content=() if value is None else (_content_of(value),))


def _content_of(value: object) -> ToolContent:
    if isinstance(value, ToolContent):
        return value
    if isinstance(value, str):
        return ToolText(text=value)
    return ToolJson(value=to_jsonable_python(value, inf_nan_mode="null"))
