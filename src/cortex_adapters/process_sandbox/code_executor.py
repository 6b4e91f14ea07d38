"""Code executor over confined processes."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from cortex_adapters.process_sandbox.conversation import Conversation
from cortex_adapters.process_sandbox.printed_text import PrintedText
from cortex_adapters.process_sandbox.python_environment import PythonEnvironment, find_python
from cortex_adapters.process_sandbox.sandboxed_process import SandboxedProcess, started
from cortex_adapters.process_sandbox.self_test import require_confinement
from cortex_domain.code_execution import CodeError, CodeLimits, CodeRequest, CodeResult, CodeStatus
from cortex_domain.errors import CodeExecutorUnavailableError
from cortex_domain.ports import CodeExecutor

_MOST_RUNS: Final = 4
_STARTING_S: Final = 20.0
_DESCRIPTION: Final = "All of Python {version} with its standard library{packages}. There is no network. {files}"
_WRITABLE: Final = "Files can be written in {directory} and are gone after the run."
_NOT_WRITABLE: Final = "No file can be written."
_WITH_PACKAGES: Final = ", and the packages that are installed for it"
_DESCRIPTION_OF_WORKSPACE: Final = " The files in /workspace can be read."


class Confinement(Protocol):
    """Confines a program.

    Attributes:
        writable: The directory that the program may write to, as it sees it; None when there is none.
    """

    writable: Path | None

    def command(
        self, python: PythonEnvironment, *, workspace: Path | None, limits: CodeLimits, status_fd: int
    ) -> Sequence[str]:
        """Writes what comes before the program and its arguments.

        Raises:
            CodeExecutorUnavailableError: It cannot confine what is asked.
        """


class ProcessCodeExecutor(CodeExecutor):
    """Runs each code in a process of its own; four at a time, others wait for their turn.

    Args:
        confinement: What confines it.
        virtual_environment: Directory of the virtual environment whose Python and packages it has; None is the Python
            that runs this, with the standard library only.
        workspace: Directory that code may read as `/workspace`; None shows it none.
    """

    def __init__(
        self,
        confinement: Confinement,
        *,
        virtual_environment: Path | None = None,
        workspace: Path | None = None,
    ) -> None:
        self._confinement = confinement
        self._virtual_environment = virtual_environment
        self._workspace = workspace
        self._python: PythonEnvironment | None = None
        self._turns = asyncio.Semaphore(_MOST_RUNS)

    @property
    def description(self) -> str:
        """Which Python it is."""
        packages = "" if self._virtual_environment is None else _WITH_PACKAGES
        writable = self._confinement.writable
        files = _NOT_WRITABLE if writable is None else _WRITABLE.format(directory=writable)
        told = _DESCRIPTION.format(version=sys.version_info.major, packages=packages, files=files)
        return told if self._workspace is None else told + _DESCRIPTION_OF_WORKSPACE

    async def check(self) -> None:
        """Has a confined process try to get out."""
        await require_confinement(self.execute, os.getpid())

    async def execute(self, request: CodeRequest, /) -> CodeResult:
        """Runs code in a process of its own."""
        if self._python is None:
            self._python = await find_python(self._virtual_environment)
        python = self._python

        def confine(status_fd: int) -> Sequence[str]:
            return self._confinement.command(
                python, workspace=self._workspace, limits=request.limits, status_fd=status_fd
            )

        async with self._turns:
            try:
                async with started(confine, python.executable) as process:
                    printed = PrintedText(process.stdout, process.stderr, max_bytes=request.limits.output_bytes)
                    result = await _result(process, printed, request)
            except OSError as exc:
                raise CodeExecutorUnavailableError(f"The sandbox does not start: {exc}.") from exc
            stdout, stderr = await printed.read()
        if result is None:
            raise CodeExecutorUnavailableError(f"The sandbox does not start. {(stdout + stderr).strip()[:500]}")
        return replace(result, stdout=stdout, stderr=stderr)

    async def close(self) -> None:
        """Holds nothing between runs."""


async def _result(process: SandboxedProcess, printed: PrintedText, request: CodeRequest) -> CodeResult | None:
    """Runs the code, without what it prints; None when nothing was run."""
    conversation = Conversation(process, request)
    if not await asyncio.wait_for(conversation.is_ready(), _STARTING_S):
        return None
    started_s = time.monotonic()
    result = await _outcome(process, printed, conversation, request.limits)
    return replace(result, duration_s=time.monotonic() - started_s)


async def _outcome(
    process: SandboxedProcess, printed: PrintedText, conversation: Conversation, limits: CodeLimits
) -> CodeResult:
    """Waits for the end, that of the time, too much output or too much memory, whichever is first."""
    ending = asyncio.create_task(conversation.end())
    swelling = asyncio.create_task(process.exceed(limits.memory_bytes))
    try:
        await asyncio.wait(
            (ending, swelling, printed.is_full), timeout=limits.timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if printed.is_full.done():
            return _ended(CodeStatus.OUTPUT_EXCEEDED, f"It printed more than {limits.output_bytes} bytes.")
        if swelling.done():
            return _ended(CodeStatus.MEMORY_EXCEEDED, f"It took more than {limits.memory_bytes} bytes of memory.")
        if not ending.done():
            return _ended(CodeStatus.TIMED_OUT, f"It took more than {limits.timeout_s:g} seconds.")
        end = ending.result()
        return _ended(CodeStatus.CRASHED, "It ended without saying why.") if end is None else end.result()
    finally:
        ending.cancel()
        swelling.cancel()
        await asyncio.gather(ending, swelling, return_exceptions=True)


_KINDS: Final = {
    CodeStatus.OUTPUT_EXCEEDED: "OverflowError",
    CodeStatus.MEMORY_EXCEEDED: "MemoryError",
    CodeStatus.TIMED_OUT: "TimeoutError",
    CodeStatus.CRASHED: "SystemError",
}


def _ended(status: CodeStatus, message: str) -> CodeResult:
    return CodeResult(status=status, error=CodeError(type=_KINDS[status], message=message))
