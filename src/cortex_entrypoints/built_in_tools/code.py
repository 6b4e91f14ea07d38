"""The tool that runs code."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import Field

from cortex_adapters.python_functions import FunctionTool, tool
from cortex_domain.code_execution import CodeError, CodeLimits, CodeRequest, CodeResult, CodeStatus
from cortex_domain.errors import ToolFailedError
from cortex_domain.ports import CodeExecutor
from cortex_domain.tool_execution import ToolContent, ToolContext, ToolEffect, ToolJson, ToolOutput, ToolText
from cortex_entrypoints.built_in_tools.companion_functions import companion_functions

CODE_CHARACTERS: Final = 100_000
_STARTING_S: Final = 30.0
"""What a run may wait for its turn and its process, beside its own time."""

_REASONS: Final = {CodeStatus.ERROR: "code_error"}
_NOTHING: Final = "The code ran to its end. It printed nothing, and its last line has no value."


def run_python_tool(executor: CodeExecutor, *, limits: CodeLimits, reads_workspace: bool) -> FunctionTool[..., Any]:
    """Makes the tool `run_python`.

    It may be repeated, because nothing of a run is left, and it runs beside others.

    Args:
        executor: Runs the code.
        limits: What each run may take.
        reads_workspace: Whether code sees the files of the workspace.
    """

    async def run_python(code: Annotated[str, Field(max_length=CODE_CHARACTERS)], context: ToolContext) -> ToolOutput:
        functions = await companion_functions(context.companions)
        result = await executor.execute(CodeRequest(code=code, functions=functions, limits=limits))
        if result.error is not None:
            raise ToolFailedError(_told(result, result.error), reason=_REASONS.get(result.status, str(result.status)))
        return ToolOutput(content=tuple(_content(result)) or (ToolText(text=_NOTHING),))

    run_python.__doc__ = _description(executor.description, limits)
    effects = [ToolEffect.RUNS_CODE, *([ToolEffect.READS_LOCAL] if reads_workspace else [])]
    return tool(
        effects=effects,
        is_idempotent=True,
        is_concurrent=True,
        is_trusted=not reads_workspace,  # a file may be what somebody sent, and code may print it
        timeout_s=limits.timeout_s + _STARTING_S,
    )(run_python)


def _description(python: str, limits: CodeLimits) -> str:
    return (
        "Runs Python and returns what it printed and what its last line is worth. Each run begins anew, without the "
        f"variables of those before it, and may take {limits.timeout_s:g} seconds. {python} "
        "Tools of yours that only read are functions of the same names, called with named arguments.\n\n"
        "Args:\n    code: The program. Print the result, or make it the last line."
    )


def _content(result: CodeResult) -> Iterator[ToolContent]:
    printed = _printed(result)
    if printed:
        yield ToolText(text=printed)
    if isinstance(result.value, str):
        yield ToolText(text=result.value)
    elif result.value is not None:
        yield ToolJson(value=result.value)


def _printed(result: CodeResult) -> str:
    return result.stdout + (f"stderr:\n{result.stderr}" if result.stderr else "")


def _told(result: CodeResult, error: CodeError) -> str:
    """Says what went wrong and where, and what was printed until then."""
    places = [
        f"  line {frame.line}{f', in {frame.function}' if frame.function else ''}: {frame.source}".rstrip(": ")
        for frame in error.frames
    ]
    printed = [f"Before that it printed:\n{_printed(result)}"] if _printed(result) else []
    return "\n".join([f"{error.type}: {error.message}".rstrip(": "), *places, *printed])
