"""The decorator that makes a function a tool."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar, overload

from docstring_parser import DocstringStyle, parse

from cortex_adapters.python_functions.function_tool import FunctionTool
from cortex_adapters.python_functions.tool_parameters import ToolParameters
from cortex_domain.tool_execution import DEFAULT_TOOL_TIMEOUT_S, ToolDescriptor, ToolEffect
from cortex_domain.tools import ToolDefinition

Parameters = ParamSpec("Parameters")
ReturnT = TypeVar("ReturnT")


@overload
def tool(function: Callable[Parameters, ReturnT], /) -> FunctionTool[Parameters, ReturnT]: ...


@overload
def tool(
    *,
    name: str | None = None,
    effects: Iterable[ToolEffect] = (),
    is_idempotent: bool = False,
    is_concurrent: bool = False,
    is_trusted: bool = True,
    timeout_s: float = DEFAULT_TOOL_TIMEOUT_S,
) -> Callable[[Callable[Parameters, ReturnT]], FunctionTool[Parameters, ReturnT]]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    effects: Iterable[ToolEffect] = (),
    is_idempotent: bool = False,
    is_concurrent: bool = False,
    is_trusted: bool = True,
    timeout_s: float = DEFAULT_TOOL_TIMEOUT_S,
) -> Any:
    """Makes a typed function a tool; `@tool` and `@tool(…)` both do, and it can still be called as before.

    Its signature becomes the schema of the arguments, its Google-style docstring what the model is told. A parameter
    annotated `ToolContext` is given the context of the call, and the model does not see it. Text that it returns is
    `ToolText`, None nothing, `ToolContent` and `ToolOutput` what they are, and any other value `ToolJson`. It tells the
    model what went wrong by raising `ToolFailedError`; any other exception counts as a bug, of which the model learns
    no detail.

    A function that is not `async` runs on a thread of its own. When its call is given up, the thread is ended at its
    next step in Python; one that is stuck outside Python, as in a long `time.sleep`, is left behind.

    Args:
        function: An `async` or plain function whose parameters all have annotations.
        name: What the model calls it; None takes the function's own name.
        effects: What using it may do, besides computing.
        is_idempotent: Using it again with the same arguments changes nothing more.
        is_concurrent: It may run at the same time as other calls.
        is_trusted: Its results come from this machine or its operator, and not from others.
        timeout_s: Seconds after which a use of it is given up.

    Raises:
        TypeError: The parameters of the function cannot be told to a model: one has no annotation, or takes any number
            of arguments. Or it is a generator, of which nobody would take the values.
        InvalidRequestError: The name cannot name a tool, or the time limit is none.
    """

    def make(decorated: Callable[..., Any]) -> FunctionTool[..., Any]:
        if inspect.isgeneratorfunction(decorated) or inspect.isasyncgenfunction(decorated):
            raise TypeError(f"{decorated.__qualname__} yields. A tool returns what it has to say.")
        docstring = parse(decorated.__doc__ or "", style=DocstringStyle.GOOGLE)
        parameters = ToolParameters(decorated, {param.arg_name: param.description for param in docstring.params})
        descriptor = ToolDescriptor(
            definition=ToolDefinition(
                name=name or decorated.__name__,
                description=(docstring.description or "").strip(),
                parameters=parameters.schema,
            ),
            effects=frozenset(effects),
            is_idempotent=is_idempotent,
            is_concurrent=is_concurrent,
            is_trusted=is_trusted,
            timeout_s=timeout_s,
        )
        return FunctionTool(decorated, descriptor=descriptor, parameters=parameters)

    return make if function is None else make(function)
