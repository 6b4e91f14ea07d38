"""Tool calls read by mlx-lm's parsers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cortex_adapters.mlx.call_object_reader import is_json_object
from cortex_adapters.mlx.tool_syntax import ParseCalls


def parsed_calls(parse: ParseCalls, text: str, tools: Sequence[Mapping[str, Any]], /) -> list[tuple[str, str]]:
    """Reads what stands between the marks of calls.

    Args:
        parse: mlx-lm's parser.
        text: What it reads.
        tools: The tools that there are.

    Returns:
        The name of each call and its arguments, the JSON text of an object.

    Raises:
        ValueError: There is no call in it, or something else.
    """
    try:
        found = parse(text, [{"type": "function", "function": tool} for tool in tools])
    except Exception as error:  # the parsers raise whatever comes along
        raise ValueError(f"{type(error).__name__}: {error}") from error
    calls = [_call(one) for one in (found if isinstance(found, list) else [found])]
    if not calls:
        raise ValueError("there is no call in it")
    return calls


def _call(found: Any) -> tuple[str, str]:  # noqa: ANN401 - whatever the parser returns
    if not isinstance(found, dict) or not isinstance(found.get("name"), str) or not found["name"]:
        raise ValueError("it names no tool")
    arguments = found.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    if not is_json_object(text):
        raise ValueError("its arguments are not an object")
    return found["name"], text
