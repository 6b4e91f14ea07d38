"""What the programs of the code executor's contract come to where none of them gets out."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cortex_adapters.fake import CodeStandIn, FakeCodeExecutor
from cortex_contracts import code_programs as programs
from cortex_contracts.code_executor import WORKSPACE, CodeExecutorHarness
from cortex_domain.code_execution import CodeError, CodeFrame, CodeLimits, CodeRequest, CodeResult, CodeStatus

_LIMITS = CodeLimits(timeout_s=0.01, memory_bytes=128 * 2**20, output_bytes=20_000)


@contextmanager
def fake_code_harness() -> Iterator[Callable[..., Awaitable[CodeExecutorHarness]]]:
    """Lends a function that builds harnesses around the fake, all on one workspace."""
    with tempfile.TemporaryDirectory() as directory:
        workspace = Path(directory)

        async def build(*, patience_s: float = 60.0) -> CodeExecutorHarness:
            executor = FakeCodeExecutor(_answers(workspace), otherwise=_failed("PermissionError"))
            return CodeExecutorHarness(executor=executor, workspace=workspace, limits=_LIMITS, patience_s=patience_s)

        yield build


def _answers(workspace: Path) -> dict[str, CodeResult | CodeStandIn]:
    return {
        **_VALUES,
        **_ENDS,
        "[first + 1, second['a']]": _adds,
        "area(2)['area'] + area(3, height=4)['area']": _measures,
        "try:\n    refuse()\nexcept RuntimeError as error:\n    print(error)": _catches,
        "refuse()": _lets_through,
        "wait()": _waits,
        "wait()\nwhile True:\n    pass": _waits_and_goes_on,
        "meet(number) * 2": _meets,
        "with open(path) as file:\n    text = file.read()\ntext": _reading(workspace),
    }


def _ok(value: Any = None, *, is_value_repr: bool = False, stdout: str = "", stderr: str = "") -> CodeResult:
    return CodeResult(status=CodeStatus.OK, value=value, is_value_repr=is_value_repr, stdout=stdout, stderr=stderr)


def _failed(
    kind: str, *, status: CodeStatus = CodeStatus.ERROR, message: str = "", lines: tuple[CodeFrame, ...] = ()
) -> CodeResult:
    return CodeResult(status=status, error=CodeError(type=kind, message=message, frames=lines))


async def _never_ends(_: CodeRequest) -> CodeResult:
    await asyncio.Event().wait()
    return _ok()


async def _adds(request: CodeRequest) -> CodeResult:
    return _ok([request.inputs["first"] + 1, request.inputs["second"]["a"]])


async def _measures(request: CodeRequest) -> CodeResult:
    area = request.functions["area"]
    return _ok((await area(2))["area"] + (await area(3, height=4))["area"])


async def _catches(request: CodeRequest) -> CodeResult:
    try:
        await request.functions["refuse"]()
    except PermissionError as error:
        return _ok(stdout=f"{error}\n")
    return _ok()


async def _lets_through(request: CodeRequest) -> CodeResult:
    try:
        return _ok(await request.functions["refuse"]())
    except PermissionError as error:
        return _failed("RuntimeError", message=str(error))


async def _waits(request: CodeRequest) -> CodeResult:
    return _ok(await request.functions["wait"]())


async def _waits_and_goes_on(request: CodeRequest) -> CodeResult:
    await request.functions["wait"]()
    return await _never_ends(request)


async def _meets(request: CodeRequest) -> CodeResult:
    return _ok(await request.functions["meet"](request.inputs["number"]) * 2)


def _reading(workspace: Path) -> CodeStandIn:
    async def read(request: CodeRequest) -> CodeResult:
        return _ok((workspace / Path(request.inputs["path"]).relative_to(WORKSPACE)).read_text())

    return read


_TOO_LONG = _failed("ValueError", status=CodeStatus.OUTPUT_EXCEEDED)
_TOO_LARGE = _failed("MemoryError", status=CodeStatus.MEMORY_EXCEEDED)
_PLACES = (CodeFrame(line=4), CodeFrame(line=2, function="half"))

_VALUES: dict[str, CodeResult | CodeStandIn] = {
    "1 + 1": _ok(2),
    "x = [1, 2.5, 'ä', None, True]\n{'a': x, 'b': {'c': (1, 2)}}": _ok(
        {"a": [1, 2.5, "ä", None, True], "b": {"c": [1, 2]}}
    ),
    "None": _ok(),
    "x = 1": _ok(),
    "{7}": _ok("{7}", is_value_repr=True),
    "float('inf')": _ok("inf", is_value_repr=True),
    "{1: 2}": _ok("{1: 2}", is_value_repr=True),
    "b'x'": _ok("b'x'", is_value_repr=True),
    "'x' * 100_000": _TOO_LONG,
    "['x' * 10_000] * 1_000": _TOO_LONG,
    "7 ** 100_000": _TOO_LONG,
    "import sys\nprint('eins')\nprint('zwö', file=sys.stderr)\nprint('drei', end='')": _ok(
        stdout="eins\ndrei", stderr="zwö\n"
    ),
    "print('said')\n1 / 0": CodeResult(status=CodeStatus.ERROR, stdout="said\n"),
    "def half(x):\n    return x / 0\n\nhalf(1)": _failed(
        "ZeroDivisionError", message="division by zero", lines=_PLACES
    ),
    "x = (": _failed("SyntaxError"),
    "import math\nkept = 1\nmath.kept = 1": _ok(),
}

_ENDS: dict[str, CodeResult | CodeStandIn] = {
    programs.ENDLESS_LOOP: _never_ends,
    programs.LOOP_THAT_CATCHES_ALL: _never_ends,
    programs.ENDLESS_SLEEP: _never_ends,
    programs.EXPONENTIAL_REGEX: _ok(),
    programs.MEMORY_BOMB: _TOO_LARGE,
    programs.HUGE_TEXT: _TOO_LARGE,
    programs.HUGE_NUMBER: _TOO_LARGE,
    programs.OUTPUT_FLOOD: CodeResult(status=CodeStatus.OK, stdout="x" * 100_000),
}
