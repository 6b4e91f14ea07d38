"""Monty keeps the contract of code executors, and what it hands out does no harm on this side."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cortex_adapters.monty import MontyCodeExecutor
from cortex_contracts.code_canaries import nothing_left, secret_file
from cortex_contracts.code_executor import CodeExecutorContract, CodeExecutorHarness
from cortex_domain.code_execution import CodeLimits, CodeRequest, CodeStatus
from cortex_domain.errors import CodeExecutorUnavailableError


class TestMontyCodeExecutor(CodeExecutorContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[CodeExecutorHarness]:
        executor = MontyCodeExecutor(workspace=tmp_path)
        yield CodeExecutorHarness(executor=executor, workspace=tmp_path)
        await executor.close()


@pytest.fixture
async def executor() -> AsyncIterator[MontyCodeExecutor]:
    executor = MontyCodeExecutor()
    yield executor
    await executor.close()


async def test_what_is_written_is_seen_by_the_same_run_alone(tmp_path: Path) -> None:
    executor = MontyCodeExecutor(workspace=tmp_path)
    writes = "with open('/workspace/note', 'w') as file:\n    file.write('x')\nopen('/workspace/note').read()"
    assert (await executor.execute(CodeRequest(code=writes))).value == "x"
    assert (await executor.execute(CodeRequest(code="open('/workspace/note').read()"))).status is CodeStatus.ERROR
    await executor.close()


async def test_without_a_workspace_there_is_no_file(executor: MontyCodeExecutor) -> None:
    with secret_file() as (path, secret):
        result = await executor.execute(CodeRequest(code="open(path).read()", inputs={"path": str(path)}))
        assert result.status is CodeStatus.ERROR
        assert secret not in str(result)


async def test_a_workspace_that_is_gone_runs_nothing(tmp_path: Path) -> None:
    executor = MontyCodeExecutor(workspace=tmp_path / "gone")
    with pytest.raises(CodeExecutorUnavailableError, match="gone"):
        await executor.check()
    await executor.close()


@pytest.mark.parametrize(
    "code",
    [
        "['x' * 1_000_000] * 100_000",
        "kept = []\nfor _ in range(40):\n    kept = [kept, kept]\nkept",
        "kept = ['x' * 1_000_000] * 100_000\ntell(kept)",
        "class A:\n    pass\na = A()\na.kept = ['x' * 1_000_000] * 100_000\na",
        "{('x' * 1_000_000,) * 100_000}",
    ],
)
async def test_one_thing_many_times_is_not_written_out(executor: MontyCodeExecutor, code: str) -> None:
    """Each is a hundred gigabytes when written out, or more; what says so is that this test ends."""

    async def tell(what: object) -> None:
        assert what

    limits = CodeLimits(timeout_s=5, memory_bytes=64 * 2**20, output_bytes=1000)
    result = await executor.execute(CodeRequest(code=code, functions={"tell": tell}, limits=limits))
    assert result.status is not CodeStatus.OK or len(result.value) <= 1000


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("import datetime\ndatetime.date(2026, 1, 2)", "datetime.date(2026, 1, 2)"),
        ("class A:\n    pass\n[A()]", "[<A object>]"),
        ("[{'ä'}, b'b', 1.5, 7, None]", "[{'ä'}, b'b', 1.5, 7, None]"),
        ("'\\ud800'", None),
    ],
)
async def test_values_are_shown(executor: MontyCodeExecutor, code: str, shown: str | None) -> None:
    result = await executor.execute(CodeRequest(code=code))
    if shown is not None:
        assert (result.value, result.is_value_repr) == (shown, True)
    str(result.value).encode()


async def test_functions_take_and_return_json_only(executor: MontyCodeExecutor) -> None:
    async def give(*_: object) -> object:
        return {1, 2}

    for code, error in (("give({1})", "Give it what JSON can say"), ("give()", "JSON cannot say what it returned")):
        result = await executor.execute(CodeRequest(code=code, functions={"give": give}))
        assert result.error is not None
        assert result.error.type == "RuntimeError"
        assert error in result.error.message


async def test_sleeping_takes_as_long_as_it_says(executor: MontyCodeExecutor) -> None:
    result = await executor.execute(CodeRequest(code="import time\ntime.sleep(0.05)\n1"))
    assert result.value == 1
    assert result.duration_s >= 0.05


async def test_more_runs_than_workers_all_end(executor: MontyCodeExecutor) -> None:
    runs = [executor.execute(CodeRequest(code="number", inputs={"number": number})) for number in range(20)]
    assert [result.value for result in await asyncio.gather(*runs)] == list(range(20))


async def test_nothing_is_left_once_it_is_closed() -> None:
    async with nothing_left():
        executor = MontyCodeExecutor()
        await executor.check()
        await executor.close()
