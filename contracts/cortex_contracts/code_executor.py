"""The contract of `cortex_domain.ports.CodeExecutor`: what code is worth, and that it does not get out.

Each hostile program is judged from outside, by what it was after: a listener that heard nothing, a file that is as it
was, a secret that stands in no output, a process that lives, and no process more than before.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cortex_contracts import code_programs as programs
from cortex_contracts.checks import checks
from cortex_contracts.code_canaries import (
    PASSWORD_FILE,
    bystander,
    contents,
    lines_of,
    listeners,
    new_secret,
    nothing_left,
    relative_path,
    secret_file,
    secret_variable,
)
from cortex_domain.code_execution import CodeFunction, CodeLimits, CodeRequest, CodeResult, CodeStatus
from cortex_domain.ports import CodeExecutor

WORKSPACE = "/workspace"
"""Where code finds the workspace, whatever executes it."""

_LIMITS = CodeLimits(timeout_s=1.0, memory_bytes=128 * 2**20, output_bytes=20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeExecutorHarness:
    """What the contract needs.

    Attributes:
        executor: The adapter under test, made to show `workspace` to the code.
        workspace: A directory that the tests fill.
        limits: What each program may take; a second is enough for all of them.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    executor: CodeExecutor
    workspace: Path
    limits: CodeLimits = _LIMITS
    patience_s: float = 60.0

    async def run(
        self, code: str, *, functions: Mapping[str, CodeFunction] | None = None, **inputs: object
    ) -> CodeResult:
        """Runs code within the limits."""
        request = CodeRequest(code=code, inputs=inputs, functions=functions or {}, limits=self.limits)
        return await self.executor.execute(request)


@pytest.mark.asyncio
class CodeExecutorContract:
    """Subclass this and define a fixture `harness` that returns a `CodeExecutorHarness`."""

    @checks("code_executor.check_passes")
    async def test_check_passes(self, harness: CodeExecutorHarness) -> None:
        """Asks whether code can be run, and for what the model is told."""
        await harness.executor.check()
        assert harness.executor.description

    @checks("code_executor.returns_last_value")
    async def test_returns_last_value(self, harness: CodeExecutorHarness) -> None:
        """Ends with an expression, with None, and with a statement."""
        result = await harness.run("x = [1, 2.5, 'ä', None, True]\n{'a': x, 'b': {'c': (1, 2)}}")
        assert (result.status, result.error) == (CodeStatus.OK, None)
        assert result.value == {"a": [1, 2.5, "ä", None, True], "b": {"c": [1, 2]}}
        assert not result.is_value_repr
        assert (await harness.run("None")).value is None
        assert (await harness.run("x = 1")).value is None
        assert result.duration_s >= 0

    @checks("code_executor.tells_other_values")
    async def test_tells_other_values(self, harness: CodeExecutorHarness) -> None:
        """Ends with what JSON cannot say."""
        for code, shown in (("{7}", "{7}"), ("float('inf')", "inf"), ("{1: 2}", "{1: 2}"), ("b'x'", "b'x'")):
            result = await harness.run(code)
            assert (result.value, result.is_value_repr) == (shown, True), code

    @checks("code_executor.long_values_refused")
    async def test_long_values_refused(self, harness: CodeExecutorHarness) -> None:
        """Ends with a long text, one text many times, and a long number."""
        for code in ("'x' * 100_000", "['x' * 10_000] * 1_000", "7 ** 100_000"):
            result = await harness.run(code)
            assert (result.status, result.value) == (CodeStatus.OUTPUT_EXCEEDED, None), code
            assert result.error is not None

    @checks("code_executor.tells_output")
    async def test_tells_output(self, harness: CodeExecutorHarness) -> None:
        """Prints to both streams, before and after an exception."""
        result = await harness.run("import sys\nprint('eins')\nprint('zwö', file=sys.stderr)\nprint('drei', end='')")
        assert (result.stdout, result.stderr) == ("eins\ndrei", "zwö\n")
        assert (await harness.run("print('said')\n1 / 0")).stdout == "said\n"

    @checks("code_executor.errors_are_results")
    async def test_errors_are_results(self, harness: CodeExecutorHarness) -> None:
        """Raises in a function, and looks where."""
        result = await harness.run("def half(x):\n    return x / 0\n\nhalf(1)")
        assert result.status is CodeStatus.ERROR
        assert result.error is not None
        assert (result.error.type, result.error.message) == ("ZeroDivisionError", "division by zero")
        assert [(frame.line, frame.function) for frame in result.error.frames] == [(4, None), (2, "half")]

    @checks("code_executor.wrong_syntax_is_result")
    async def test_wrong_syntax_is_result(self, harness: CodeExecutorHarness) -> None:
        """Gives it what is no Python."""
        result = await harness.run("x = (")
        assert result.status is CodeStatus.ERROR
        assert result.error is not None
        assert result.error.type == "SyntaxError"

    @checks("code_executor.inputs_are_variables")
    async def test_inputs_are_variables(self, harness: CodeExecutorHarness) -> None:
        """Adds two variables that it was given."""
        assert (await harness.run("[first + 1, second['a']]", first=2, second={"a": "ä"})).value == [3, "ä"]

    @checks("code_executor.calls_functions")
    async def test_calls_functions(self, harness: CodeExecutorHarness) -> None:
        """Calls a function by position and by name, and goes on with what it returns."""

        async def area(width: int, height: int = 1) -> dict[str, int]:
            return {"area": width * height}

        code = "area(2)['area'] + area(3, height=4)['area']"
        assert (await harness.run(code, functions={"area": area})).value == 14

    @checks("code_executor.functions_raise_inside")
    async def test_functions_raise_inside(self, harness: CodeExecutorHarness) -> None:
        """Catches what a function raises, and does not."""

        async def refuse() -> None:
            raise PermissionError("not today")

        catching = "try:\n    refuse()\nexcept RuntimeError as error:\n    print(error)"
        assert (await harness.run(catching, functions={"refuse": refuse})).stdout == "not today\n"
        result = await harness.run("refuse()", functions={"refuse": refuse})
        assert result.status is CodeStatus.ERROR
        assert result.error is not None
        assert (result.error.type, result.error.message) == ("RuntimeError", "not today")

    @checks("code_executor.slow_functions_end")
    async def test_slow_functions_end(self, harness: CodeExecutorHarness) -> None:
        """Calls a function that does not return."""
        waiting = _Waiting()
        result = await harness.run("wait()", functions={"wait": waiting.wait})
        assert result.status is CodeStatus.TIMED_OUT
        assert waiting.has_ended

    @checks("code_executor.runs_are_apart")
    async def test_runs_are_apart(self, harness: CodeExecutorHarness) -> None:
        """Leaves a variable and a changed module behind, and looks for them."""
        await harness.run("import math\nkept = 1\nmath.kept = 1")
        assert (await harness.run("kept")).status is CodeStatus.ERROR
        assert (await harness.run("import math\nmath.kept")).status is CodeStatus.ERROR

    @checks("code_executor.runs_side_by_side")
    async def test_runs_side_by_side(self, harness: CodeExecutorHarness) -> None:
        """Has three runs wait for each other."""
        meeting = asyncio.Barrier(3)

        async def meet(number: int) -> int:
            await meeting.wait()
            return number

        runs = [harness.run("meet(number) * 2", functions={"meet": meet}, number=number) for number in range(3)]
        assert [result.value for result in await asyncio.gather(*runs)] == [0, 2, 4]

    @checks("code_executor.cancelling_ends_run")
    async def test_cancelling_ends_run(self, harness: CodeExecutorHarness) -> None:
        """Cancels a run that waits for a function, and one that computes."""
        waiting = _Waiting()
        unhurried = replace(harness, limits=replace(harness.limits, timeout_s=600.0))
        async with nothing_left():
            await _cancel(unhurried, "wait()", waiting.wait, waiting.has_begun)
            assert waiting.has_ended
            begun = asyncio.Event()

            async def begin() -> None:
                begun.set()

            await _cancel(unhurried, "wait()\nwhile True:\n    pass", begin, begun)

    @checks("code_executor.closes_and_opens")
    async def test_closes_and_opens(self, harness: CodeExecutorHarness) -> None:
        """Closes it, runs, closes again, and runs again."""
        await harness.executor.close()
        async with nothing_left():
            assert (await harness.run("1 + 1")).value == 2
            await harness.executor.close()
        assert (await harness.run("1 + 1")).value == 2

    @checks("code_executor.endless_loop_ends")
    async def test_endless_loop_ends(self, harness: CodeExecutorHarness) -> None:
        """Computes for ever."""
        async with nothing_left():
            assert (await harness.run(programs.ENDLESS_LOOP)).status is CodeStatus.TIMED_OUT

    @checks("code_executor.no_exception_is_caught_for_ever")
    async def test_no_exception_is_caught_for_ever(self, harness: CodeExecutorHarness) -> None:
        """Computes for ever and catches whatever would end it."""
        async with nothing_left():
            assert (await harness.run(programs.LOOP_THAT_CATCHES_ALL)).status is CodeStatus.TIMED_OUT

    @checks("code_executor.endless_sleep_ends")
    async def test_endless_sleep_ends(self, harness: CodeExecutorHarness) -> None:
        """Sleeps for ever, which takes no time of the processor."""
        async with nothing_left():
            assert (await harness.run(programs.ENDLESS_SLEEP)).status is CodeStatus.TIMED_OUT

    @checks("code_executor.regex_ends")
    async def test_regex_ends(self, harness: CodeExecutorHarness) -> None:
        """Matches a pattern that takes some engines longer than there is."""
        async with nothing_left():
            assert (await harness.run(programs.EXPONENTIAL_REGEX)).status in {CodeStatus.OK, CodeStatus.TIMED_OUT}

    @checks("code_executor.memory_is_bounded")
    async def test_memory_is_bounded(self, harness: CodeExecutorHarness) -> None:
        """Takes memory until it gets no more."""
        async with nothing_left():
            assert (await harness.run(programs.MEMORY_BOMB)).status is CodeStatus.MEMORY_EXCEEDED

    @checks("code_executor.huge_values_refused")
    async def test_huge_values_refused(self, harness: CodeExecutorHarness) -> None:
        """Makes a text and a number larger than the memory in one step."""
        for code in (programs.HUGE_TEXT, programs.HUGE_NUMBER):
            async with nothing_left():
                status = (await harness.run(code)).status
            assert status in {CodeStatus.MEMORY_EXCEEDED, CodeStatus.TIMED_OUT, CodeStatus.ERROR}, code

    @checks("code_executor.recursion_is_bounded")
    async def test_recursion_is_bounded(self, harness: CodeExecutorHarness) -> None:
        """Calls itself for ever; the executor lives on."""
        async with nothing_left():
            assert (await harness.run(programs.DEEP_RECURSION)).status is not CodeStatus.OK
        assert (await harness.run("1 + 1")).value == 2

    @checks("code_executor.output_is_bounded")
    async def test_output_is_bounded(self, harness: CodeExecutorHarness) -> None:
        """Prints for ever."""
        async with nothing_left():
            result = await harness.run(programs.OUTPUT_FLOOD)
        assert result.status is CodeStatus.OUTPUT_EXCEEDED
        assert result.stdout.startswith("xxx")
        assert len(result.stdout.encode()) <= harness.limits.output_bytes

    @checks("code_executor.disk_is_bounded")
    async def test_disk_is_bounded(self, harness: CodeExecutorHarness) -> None:
        """Writes files until nobody takes them."""
        async with nothing_left():
            result = await harness.run(programs.FILLS_THE_DISK)
        assert (result.value or 0) <= harness.limits.memory_bytes

    @checks("code_executor.fork_bomb_ends")
    async def test_fork_bomb_ends(self, harness: CodeExecutorHarness) -> None:
        """Starts processes for ever."""
        async with nothing_left():
            assert (await harness.run(programs.FORK_BOMB)).status is not CodeStatus.OK

    @checks("code_executor.thread_bomb_ends")
    async def test_thread_bomb_ends(self, harness: CodeExecutorHarness) -> None:
        """Starts threads for ever."""
        async with nothing_left():
            assert (await harness.run(programs.THREAD_BOMB)).status is not CodeStatus.OK

    @checks("code_executor.no_process_stays")
    async def test_no_process_stays(self, harness: CodeExecutorHarness) -> None:
        """Starts a process that leaves the session and closes all that it has."""
        async with nothing_left():
            await harness.run(programs.CHILD_THAT_STAYS)

    @checks("code_executor.no_process_is_reached")
    async def test_no_process_is_reached(self, harness: CodeExecutorHarness) -> None:
        """Kills a process of this machine by its number."""
        async with bystander() as process:
            await harness.run(programs.KILLS_A_PROCESS, pid=process.pid)
            await asyncio.sleep(0.02)
            assert process.returncode is None

    @checks("code_executor.no_system_file_is_read")
    async def test_no_system_file_is_read(self, harness: CodeExecutorHarness) -> None:
        """Reads who may log in."""
        told = _told(await harness.run(programs.READS_FILES, paths=[str(PASSWORD_FILE)]))
        assert not [user for user in lines_of(PASSWORD_FILE) if user in told]

    @checks("code_executor.no_home_file_is_read")
    async def test_no_home_file_is_read(self, harness: CodeExecutorHarness) -> None:
        """Reads a file of the user's."""
        with secret_file(Path.home()) as (path, secret):
            assert secret not in _told(await harness.run(programs.READS_FILES, paths=[str(path)]))

    @checks("code_executor.no_variable_is_read")
    async def test_no_variable_is_read(self, harness: CodeExecutorHarness) -> None:
        """Reads the environment, its own and that of others."""
        with secret_variable() as (name, secret):
            assert secret not in _told(await harness.run(programs.READS_ENVIRONMENT, name=name, pid=os.getpid()))

    @checks("code_executor.no_tcp")
    async def test_no_tcp(self, harness: CodeExecutorHarness) -> None:
        """Connects to a port of this machine."""
        async with listeners() as listening:
            await harness.run(programs.CONNECTS_BY_TCP, port=listening.port)
            assert await listening.visits() == []

    @checks("code_executor.no_udp")
    async def test_no_udp(self, harness: CodeExecutorHarness) -> None:
        """Sends a datagram to a port of this machine."""
        async with listeners() as listening:
            await harness.run(programs.SENDS_BY_UDP, port=listening.port)
            assert await listening.visits() == []

    @checks("code_executor.no_unix_socket")
    async def test_no_unix_socket(self, harness: CodeExecutorHarness) -> None:
        """Connects to sockets of other programs, by path and by name."""
        async with listeners() as listening:
            await harness.run(programs.CONNECTS_TO_UNIX_SOCKET, paths=list(listening.unix_paths))
            assert await listening.visits() == []

    @checks("code_executor.no_file_is_written")
    async def test_no_file_is_written(self, harness: CodeExecutorHarness) -> None:
        """Changes a file, removes it, and makes another."""
        with secret_file() as (path, _):
            before = contents(path.parent)
            await harness.run(programs.WRITES_FILES, paths=[str(path), str(path.with_name("new"))])
            assert contents(path.parent) == before

    @checks("code_executor.no_shell")
    async def test_no_shell(self, harness: CodeExecutorHarness) -> None:
        """Has a shell change a file, found by name and by walking the classes."""
        with secret_file() as (path, secret):
            await harness.run(programs.RUNS_A_SHELL, path=str(path))
            assert path.read_text() == secret

    @checks("code_executor.reads_workspace")
    async def test_reads_workspace(self, harness: CodeExecutorHarness) -> None:
        """Reads a file of the workspace."""
        name, secret = new_secret(), new_secret()
        (harness.workspace / name).write_text(secret)
        result = await harness.run("with open(path) as file:\n    text = file.read()\ntext", path=f"{WORKSPACE}/{name}")
        assert result.value == secret

    @checks("code_executor.keeps_workspace")
    async def test_keeps_workspace(self, harness: CodeExecutorHarness) -> None:
        """Changes the workspace in every way."""
        (harness.workspace / "kept").write_text("as it was")
        before = contents(harness.workspace)
        await harness.run(programs.WRITES_FILES, paths=[f"{WORKSPACE}/kept", f"{WORKSPACE}/new"])
        assert contents(harness.workspace) == before

    @checks("code_executor.follows_no_link_outside")
    async def test_follows_no_link_outside(self, harness: CodeExecutorHarness) -> None:
        """Reads through links that lead out of the workspace."""
        with secret_file() as (path, secret):
            links = [harness.workspace / "file-link", harness.workspace / "directory-link"]
            links[0].symlink_to(path)
            links[1].symlink_to(relative_path(path.parent, to=harness.workspace))
            inside = [f"{WORKSPACE}/file-link", f"{WORKSPACE}/directory-link/{path.name}"]
            told = _told(await harness.run(programs.READS_FILES, paths=inside))
            for link in links:
                link.unlink()
            assert secret not in told


class _Waiting:
    """A function that does not return by itself, and notes its end."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.has_ended = False

    async def wait(self) -> None:
        self.has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.has_ended = True


async def _cancel(harness: CodeExecutorHarness, code: str, function: CodeFunction, begun: asyncio.Event) -> None:
    """Cancels a run once it has begun."""
    running = asyncio.create_task(harness.run(code, functions={"wait": function}))
    await begun.wait()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


def _told(result: CodeResult) -> str:
    """All that a run says to anybody."""
    parts: list[Any] = [result.stdout, result.stderr, result.value, result.error]
    return "\n".join(map(str, parts))
