"""What a model reads of the code that it wrote."""

from typing import Any

import pytest

from cortex_adapters.fake import FakeCodeExecutor
from cortex_adapters.python_functions import FunctionToolProvider
from cortex_domain.code_execution import CodeError, CodeFrame, CodeLimits, CodeResult, CodeStatus
from cortex_domain.errors import InvalidToolArgumentsError, ToolFailedError
from cortex_domain.tool_execution import ToolContent, ToolContext, ToolEffect, ToolJson, ToolText
from cortex_entrypoints.built_in_tools.code import run_python_tool

LIMITS = CodeLimits(timeout_s=2.5)
CONTEXT = ToolContext(call_id="c1", deadline_s=60.0, report_progress=lambda *_: None)
WHERE = (CodeFrame(line=4, source="half(1)"), CodeFrame(line=2, function="half", source="return x / 0"))


def ok(**values: Any) -> CodeResult:
    return CodeResult(status=CodeStatus.OK, **values)


async def content(result: CodeResult) -> tuple[ToolContent, ...]:
    executor = FakeCodeExecutor(otherwise=result)
    provider = FunctionToolProvider([run_python_tool(executor, limits=LIMITS, reads_workspace=False)])
    output = await provider.invoke("run_python", {"code": "x"}, CONTEXT)
    assert [(request.code, request.limits) for request in executor.requests] == [("x", LIMITS)]
    return output.content


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (ok(stdout="45\n"), (ToolText(text="45\n"),)),
        (ok(value=45), (ToolJson(value=45),)),
        (ok(value=0), (ToolJson(value=0),)),
        (ok(stdout="a\n", value={"b": 1}), (ToolText(text="a\n"), ToolJson(value={"b": 1}))),
        (ok(value="text"), (ToolText(text="text"),)),
        (ok(value="{1, 2}", is_value_repr=True), (ToolText(text="{1, 2}"),)),
        (ok(stdout="a\n", stderr="b\n"), (ToolText(text="a\nstderr:\nb\n"),)),
    ],
)
async def test_what_came_of_it_is_told(result: CodeResult, told: tuple[ToolContent, ...]) -> None:
    assert await content(result) == told


async def test_code_that_says_nothing_is_told_to_print() -> None:
    (said,) = await content(ok())
    assert isinstance(said, ToolText)
    assert "printed nothing" in said.text


@pytest.mark.parametrize(
    ("result", "reason", "message"),
    [
        (
            CodeResult(
                status=CodeStatus.ERROR,
                stdout="said\n",
                error=CodeError(type="ZeroDivisionError", message="division by zero", frames=WHERE),
            ),
            "code_error",
            """ZeroDivisionError: division by zero
  line 4: half(1)
  line 2, in half: return x / 0
Before that it printed:
said
""",
        ),
        (
            CodeResult(status=CodeStatus.TIMED_OUT, error=CodeError(type="TimeoutError", message="")),
            "timed_out",
            "TimeoutError",
        ),
        (
            CodeResult(
                status=CodeStatus.MEMORY_EXCEEDED,
                error=CodeError(type="MemoryError", message="", frames=(CodeFrame(line=1),)),
            ),
            "memory_exceeded",
            "MemoryError\n  line 1",
        ),
    ],
)
async def test_what_went_wrong_is_told(result: CodeResult, reason: str, message: str) -> None:
    with pytest.raises(ToolFailedError) as caught:
        await content(result)
    assert (caught.value.reason, caught.value.message) == (reason, message)


async def test_too_much_code_is_refused() -> None:
    provider = FunctionToolProvider([run_python_tool(FakeCodeExecutor(), limits=LIMITS, reads_workspace=False)])
    with pytest.raises(InvalidToolArgumentsError, match="code"):
        await provider.invoke("run_python", {"code": "x" * 100_001}, CONTEXT)


@pytest.mark.parametrize("reads_workspace", [False, True])
def test_the_model_and_the_policy_are_told_what_it_is(reads_workspace: bool) -> None:
    described = run_python_tool(FakeCodeExecutor(), limits=LIMITS, reads_workspace=reads_workspace).descriptor
    assert described.name == "run_python"
    assert "may take 2.5 seconds" in described.definition.description
    assert "Python that is not run." in described.definition.description
    assert described.definition.parameters["required"] == ["code"]
    assert "last line" in described.definition.parameters["properties"]["code"]["description"]
    assert (ToolEffect.READS_LOCAL in described.effects) == reads_workspace
    assert ToolEffect.RUNS_CODE in described.effects
    assert (described.is_idempotent, described.is_concurrent) == (True, True)
    assert described.is_trusted != reads_workspace
    assert described.timeout_s > 2.5
