"""Other tools as functions that code calls."""

from collections.abc import Mapping, Sequence
from functools import partial
from keyword import iskeyword
from typing import Any

from cortex_domain.code_execution import CodeFunction
from cortex_domain.tool_execution import CompanionTools, ToolContent, ToolDescriptor, ToolFinished, ToolJson, ToolText


class CompanionFailedError(RuntimeError):
    """What code sees of a tool that could not do what was asked."""


async def companion_functions(companions: CompanionTools | None) -> Mapping[str, CodeFunction]:
    """Makes a function of each tool whose name is one in Python.

    Arguments are given by name, or in the order of the tool's parameters. A function returns what the tool returned:
    its text or its value, or a list of them when there are several.
    """
    if companions is None:
        return {}
    tools = [tool for tool in await companions.list_tools() if tool.name.isidentifier() and not iskeyword(tool.name)]
    return {tool.name: partial(_use, companions, tool) for tool in tools}


async def _use(companions: CompanionTools, tool: ToolDescriptor, /, *args: object, **kwargs: object) -> object:
    return _returned(await companions.use(tool.name, _arguments(tool, args, kwargs)))


def _arguments(tool: ToolDescriptor, args: Sequence[object], kwargs: Mapping[str, object]) -> Mapping[str, object]:
    names = list(tool.definition.parameters.get("properties", {}))
    if len(args) > len(names):
        raise CompanionFailedError(f"{tool.name}() takes {len(names)} arguments, not {len(args)}.")
    given = dict(zip(names, args, strict=False))
    if twice := sorted(given.keys() & kwargs.keys()):
        raise CompanionFailedError(f"{tool.name}() was given {', '.join(twice)} twice.")
    return {**given, **kwargs}


def _returned(finished: ToolFinished) -> object:
    if finished.error is not None:
        raise CompanionFailedError(finished.error.message)
    values = [_value(part) for part in finished.content]
    return values[0] if len(values) == 1 else values or None


def _value(part: ToolContent) -> Any:  # noqa: ANN401 - what JSON can say
    if isinstance(part, ToolText):
        return part.text
    return part.value if isinstance(part, ToolJson) else f"[image of type {part.media_type}]"
