"""Code executors that are wrong in one way each. What gets out does no harm: it is what the test looks at."""

import asyncio
import os
import signal
import socket
import sys
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cortex_contracts import code_programs as programs
from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.code_executor import WORKSPACE, CodeExecutorHarness
from cortex_domain.code_execution import CodeFunction, CodeRequest, CodeResult, CodeStatus
from cortex_domain.errors import CodeExecutorUnavailableError
from cortex_domain.ports import CodeExecutor


class _Passing(CodeExecutor):
    """Wrong in no way yet."""

    def __init__(self, harness: CodeExecutorHarness) -> None:
        self._inner = harness.executor
        self._workspace = harness.workspace

    @property
    def description(self) -> str:
        return self._inner.description

    async def check(self) -> None:
        await self._inner.check()

    async def execute(self, request: CodeRequest, /) -> CodeResult:
        return self._spoil(request, await self._inner.execute(self._change(request)))

    async def close(self) -> None:
        await self._inner.close()

    def _change(self, request: CodeRequest) -> CodeRequest:
        return request

    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:  # noqa: ARG002
        return result


class _IsNeverReady(_Passing):
    async def check(self) -> None:
        raise CodeExecutorUnavailableError("Not today.")


class _KnowsNoNone(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:  # noqa: ARG002
        is_none = result.status is CodeStatus.OK and result.value is None
        return replace(result, value="") if is_none else result


class _TakesReprForText(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:  # noqa: ARG002
        return replace(result, is_value_repr=False)


class _LeavesLongValuesOut(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:  # noqa: ARG002
        is_long = result.status is CodeStatus.OUTPUT_EXCEEDED and not result.stdout
        return replace(result, status=CodeStatus.OK, error=None) if is_long else result


class _MixesStreams(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:  # noqa: ARG002
        return replace(result, stdout=result.stdout + result.stderr, stderr="")


class _TellsNoPlace(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:  # noqa: ARG002
        return replace(result, error=result.error and replace(result.error, frames=()))


class _RaisesWhatIsNoPython(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:  # noqa: ARG002
        if result.error is not None and result.error.type == "SyntaxError":
            raise SyntaxError(result.error.message)
        return result


class _DropsMappings(_Passing):
    def _change(self, request: CodeRequest) -> CodeRequest:
        kept = {name: value for name, value in request.inputs.items() if not isinstance(value, dict)}
        return replace(request, inputs=kept)


class _WrapsFunctions(_Passing):
    """Puts something around each function."""

    def _change(self, request: CodeRequest) -> CodeRequest:
        wrapped = {name: self._wrap(function) for name, function in request.functions.items()}
        return replace(request, functions=wrapped)

    @abstractmethod
    def _wrap(self, function: CodeFunction) -> CodeFunction: ...


class _DropsNamedArguments(_WrapsFunctions):
    def _wrap(self, function: CodeFunction) -> CodeFunction:
        async def call(*args: object, **_: object) -> object:
            return await function(*args)

        return call


class _SwallowsFailures(_WrapsFunctions):
    def _wrap(self, function: CodeFunction) -> CodeFunction:
        async def call(*args: object, **kwargs: object) -> object:
            try:
                return await function(*args, **kwargs)
            except Exception:  # noqa: BLE001 - the fault to be found
                return None

        return call


class _TakesWaitingForAnError(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        has_waited = bool(request.functions) and result.status is CodeStatus.TIMED_OUT
        return replace(result, status=CodeStatus.ERROR) if has_waited else result


class _Remembers(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        return replace(result, status=CodeStatus.OK, error=None) if request.code == "kept" else result


class _RunsInTurn(_Passing):
    def __init__(self, harness: CodeExecutorHarness) -> None:
        super().__init__(harness)
        self._turn = asyncio.Lock()

    async def execute(self, request: CodeRequest, /) -> CodeResult:
        async with self._turn:
            return await super().execute(request)


class _TakesCancellingForAnEnd(_Passing):
    async def execute(self, request: CodeRequest, /) -> CodeResult:
        try:
            return await super().execute(request)
        except asyncio.CancelledError:
            return CodeResult(status=CodeStatus.TIMED_OUT)


class _StaysClosed(_Passing):
    is_closed = False

    async def execute(self, request: CodeRequest, /) -> CodeResult:
        if self.is_closed:
            raise CodeExecutorUnavailableError("It is closed.")
        return await super().execute(request)

    async def close(self) -> None:
        self.is_closed = True


class _RepeatsOutput(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        return replace(result, stdout=result.stdout * 2) if request.code == programs.OUTPUT_FLOOD else result


class _FindsMuchDisk(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        return replace(result, value=10**12) if request.code == programs.FILLS_THE_DISK else result


class _LeavesAProcess(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code == programs.CHILD_THAT_STAYS:
            os.posix_spawn(sys.executable, [sys.executable, "-c", "import time; time.sleep(1)"], {})
        return result


class _LetsKill(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code == programs.KILLS_A_PROCESS:
            os.kill(request.inputs["pid"], signal.SIGKILL)
        return result


class _LetsRead(_Passing):
    """Shows files, of those that code asks for, that pass."""

    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code != programs.READS_FILES:
            return result
        shown = [self._host(path).read_text() for path in request.inputs["paths"] if self._shows(path)]
        return replace(result, stdout="\n".join(shown))

    def _host(self, path: str) -> Path:
        return Path(path)

    @abstractmethod
    def _shows(self, path: str) -> bool: ...


class _LetsReadTheSystem(_LetsRead):
    def _shows(self, path: str) -> bool:
        return path.startswith("/etc/")


class _LetsReadTheHome(_LetsRead):
    def _shows(self, path: str) -> bool:
        return path.startswith(f"{Path.home()}/")


class _FollowsLinks(_LetsRead):
    def _host(self, path: str) -> Path:
        return self._workspace / Path(path).relative_to(WORKSPACE)

    def _shows(self, path: str) -> bool:
        return path.startswith(WORKSPACE)


class _ShowsTheEnvironment(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        return replace(result, stdout=str(os.environ)) if request.code == programs.READS_ENVIRONMENT else result


class _LetsConnect(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code == programs.CONNECTS_BY_TCP:
            socket.create_connection(("127.0.0.1", request.inputs["port"])).close()
        return result


class _LetsSend(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code == programs.SENDS_BY_UDP:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"out", ("127.0.0.1", request.inputs["port"]))
        return result


class _LetsConnectToUnixSockets(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code == programs.CONNECTS_TO_UNIX_SOCKET:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(request.inputs["paths"][-1])
        return result


class _LetsWrite(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code == programs.WRITES_FILES and not request.inputs["paths"][0].startswith(WORKSPACE):
            Path(request.inputs["paths"][-1]).write_text("changed")
        return result


class _HasAShell(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code == programs.RUNS_A_SHELL:
            Path(request.inputs["path"]).write_text("changed")
        return result


class _ShowsNoWorkspace(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        return replace(result, value=None) if request.code.startswith("with open(path)") else result


class _ChangesTheWorkspace(_Passing):
    def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
        if request.code == programs.WRITES_FILES and request.inputs["paths"][0].startswith(WORKSPACE):
            (self._workspace / "new").write_text("changed")
        return result


def _breakage(
    requirement: str, broken: Callable[[CodeExecutorHarness], CodeExecutor], name: str = ""
) -> Breakage[CodeExecutorHarness]:
    return Breakage(
        f"code_executor.{requirement}",
        name or getattr(broken, "__name__", ""),
        lambda harness: replace(harness, executor=broken(harness)),
    )


def _ends_as(requirement: str, code: str, status: CodeStatus) -> Breakage[CodeExecutorHarness]:
    """An executor that says that one program ends otherwise than it should."""

    class EndsOtherwise(_Passing):
        def _spoil(self, request: CodeRequest, result: CodeResult) -> CodeResult:
            return replace(result, status=status) if request.code == code else result

    return _breakage(requirement, EndsOtherwise, f"EndsAs{status.title().replace('_', '')}")


BROKEN_CODE_EXECUTORS = (
    _breakage("check_passes", _IsNeverReady),
    _breakage("returns_last_value", _KnowsNoNone),
    _breakage("tells_other_values", _TakesReprForText),
    _breakage("long_values_refused", _LeavesLongValuesOut),
    _breakage("tells_output", _MixesStreams),
    _breakage("errors_are_results", _TellsNoPlace),
    _breakage("wrong_syntax_is_result", _RaisesWhatIsNoPython),
    _breakage("inputs_are_variables", _DropsMappings),
    _breakage("calls_functions", _DropsNamedArguments),
    _breakage("functions_raise_inside", _SwallowsFailures),
    _breakage("slow_functions_end", _TakesWaitingForAnError),
    _breakage("runs_are_apart", _Remembers),
    _breakage("runs_side_by_side", _RunsInTurn),
    _breakage("cancelling_ends_run", _TakesCancellingForAnEnd),
    _breakage("closes_and_opens", _StaysClosed),
    _ends_as("endless_loop_ends", programs.ENDLESS_LOOP, CodeStatus.OK),
    _ends_as("no_exception_is_caught_for_ever", programs.LOOP_THAT_CATCHES_ALL, CodeStatus.OK),
    _ends_as("endless_sleep_ends", programs.ENDLESS_SLEEP, CodeStatus.OK),
    _ends_as("regex_ends", programs.EXPONENTIAL_REGEX, CodeStatus.CRASHED),
    _ends_as("memory_is_bounded", programs.MEMORY_BOMB, CodeStatus.OK),
    _ends_as("huge_values_refused", programs.HUGE_TEXT, CodeStatus.OK),
    _ends_as("recursion_is_bounded", programs.DEEP_RECURSION, CodeStatus.OK),
    _breakage("output_is_bounded", _RepeatsOutput),
    _breakage("disk_is_bounded", _FindsMuchDisk),
    _ends_as("fork_bomb_ends", programs.FORK_BOMB, CodeStatus.OK),
    _ends_as("thread_bomb_ends", programs.THREAD_BOMB, CodeStatus.OK),
    _breakage("no_process_stays", _LeavesAProcess),
    _breakage("no_process_is_reached", _LetsKill),
    _breakage("no_system_file_is_read", _LetsReadTheSystem),
    _breakage("no_home_file_is_read", _LetsReadTheHome),
    _breakage("no_variable_is_read", _ShowsTheEnvironment),
    _breakage("no_tcp", _LetsConnect),
    _breakage("no_udp", _LetsSend),
    _breakage("no_unix_socket", _LetsConnectToUnixSockets),
    _breakage("no_file_is_written", _LetsWrite),
    _breakage("no_shell", _HasAShell),
    _breakage("reads_workspace", _ShowsNoWorkspace),
    _breakage("keeps_workspace", _ChangesTheWorkspace),
    _breakage("follows_no_link_outside", _FollowsLinks),
)
