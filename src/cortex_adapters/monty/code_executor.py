"""Code executor over a pool of Monty's workers."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import psutil
from pydantic_monty import AsyncMonty, AsyncMontySession, MontyError, MountDir, ResourceLimits

from cortex_adapters.monty.monty_errors import outcome_of
from cortex_adapters.monty.monty_run import MontyRun
from cortex_adapters.monty.printed_text import PrintedText
from cortex_adapters.monty.told_value import NotJsonError, as_json, as_text
from cortex_domain.code_execution import CodeError, CodeLimits, CodeRequest, CodeResult, CodeStatus
from cortex_domain.errors import CodeExecutorUnavailableError
from cortex_domain.ports import CodeExecutor

WORKSPACE: Final = "/workspace"
"""Where code finds the workspace."""

_MOST_RUNS: Final = 8
_MOST_HOST_CALLS: Final = 10_000
_LOOK_EVERY_S: Final = 0.002

_DESCRIPTION: Final = (
    "A part of Python: functions, closures, comprehensions, f-strings, try, with, match, dataclasses and plain classes "
    "without inheritance. Modules: math, re, json, datetime, random, itertools, functools, collections, decimal. "
    "There is no yield, no numpy or pandas, no network, and no other module."
)
_DESCRIPTION_OF_WORKSPACE: Final = f" open() reads the files in {WORKSPACE}; what is written is gone after the run."


class MontyCodeExecutor(CodeExecutor):
    """Runs each code in a new process of Monty, one of which waits ready.

    Args:
        workspace: Directory that code may read as `/workspace`; what it writes there is seen by that run alone, and
            gone with it. Symbolic links out of it are refused. None shows it no file at all.
    """

    def __init__(self, *, workspace: Path | None = None) -> None:
        self._workspace = workspace
        self._pool: AsyncMonty | None = None
        self._opening = asyncio.Lock()

    @property
    def description(self) -> str:
        """What Monty understands."""
        return _DESCRIPTION if self._workspace is None else _DESCRIPTION + _DESCRIPTION_OF_WORKSPACE

    async def check(self) -> None:
        """Has a worker add two numbers."""
        result = await self.execute(CodeRequest(code="1 + 1"))
        if result.value != 2:
            raise CodeExecutorUnavailableError(f"Monty does not run code here: {result.error}.")

    async def execute(self, request: CodeRequest, /) -> CodeResult:
        """Runs code in a worker of its own."""
        pool = await self._opened_pool()
        with self._mounted(request.limits) as mounts:
            printed = PrintedText(max_bytes=request.limits.output_bytes)
            run = MontyRun(request, printed=printed, mounts=mounts)
            async with _session(pool, request.limits) as session:
                started_s = time.monotonic()
                result = await _result(run, session, printed, request.limits)
        return _with(result, printed, duration_s=time.monotonic() - started_s)

    async def close(self) -> None:
        """Ends the workers."""
        async with self._opening:
            pool, self._pool = self._pool, None
            if pool is not None:
                await pool.__aexit__(None, None, None)

    async def _opened_pool(self) -> AsyncMonty:
        async with self._opening:
            if self._pool is None:
                # A worker serves one run: what a run might do to its interpreter is gone with it.
                pool = AsyncMonty(min_processes=1, max_processes=_MOST_RUNS, max_checkouts_per_worker=1)
                try:
                    self._pool = await pool.__aenter__()
                except (OSError, RuntimeError, MontyError) as exc:
                    raise CodeExecutorUnavailableError(f"Monty's workers do not start: {exc}.") from exc
            return self._pool

    @contextmanager
    def _mounted(self, limits: CodeLimits) -> Iterator[list[MountDir]]:
        if self._workspace is None:
            yield []
            return
        try:
            mount = MountDir(
                host_path=self._workspace,
                virtual_path=WORKSPACE,
                mode="overlay",
                memory_usage_limit=limits.memory_bytes,
            )
        except (OSError, TypeError) as exc:  # Monty raises a TypeError for a directory that is not there
            raise CodeExecutorUnavailableError(f"The workspace {self._workspace} cannot be opened: {exc}.") from exc
        with mount:
            yield [mount]


@asynccontextmanager
async def _session(pool: AsyncMonty, limits: CodeLimits) -> AsyncIterator[AsyncMontySession]:
    """Lends a worker, and sees to it that its process is gone at the end."""
    bounds = ResourceLimits(
        max_feed_duration_secs=limits.timeout_s,
        max_memory=limits.memory_bytes,
        max_suspensions=_MOST_HOST_CALLS,
    )
    worker: psutil.Process | None = None
    try:
        async with pool.checkout(limits=bounds) as session:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker = psutil.Process(session.worker_pid)
            yield session
    finally:
        if worker is not None:
            await _end(worker)


async def _end(worker: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        worker.kill()
        while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_LOOK_EVERY_S)


async def _result(run: MontyRun, session: AsyncMontySession, printed: PrintedText, limits: CodeLimits) -> CodeResult:
    """Waits for the value, the end of the time or too much output, whichever is first."""
    running = asyncio.create_task(run.value(session))
    try:
        await asyncio.wait((running, printed.is_full), timeout=limits.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)  # what is printed last may be told by another thread
        if printed.is_full.done():
            return _ended(CodeStatus.OUTPUT_EXCEEDED, f"It printed more than {limits.output_bytes} bytes.")
        if not running.done():
            return _ended(CodeStatus.TIMED_OUT, f"It took more than {limits.timeout_s} seconds.")
        return _finished(running.result(), limits)
    except (MontyError, ValueError) as exc:
        status, error = outcome_of(exc)
        return CodeResult(status=status, error=error)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _finished(value: object, limits: CodeLimits) -> CodeResult:
    try:
        return CodeResult(status=CodeStatus.OK, value=as_json(value, max_bytes=limits.output_bytes))
    except NotJsonError:
        text = as_text(value, max_bytes=limits.output_bytes)
        return CodeResult(status=CodeStatus.OK, value=text, is_value_repr=True)


def _ended(status: CodeStatus, message: str) -> CodeResult:
    kind = "TimeoutError" if status is CodeStatus.TIMED_OUT else "OverflowError"
    return CodeResult(status=status, error=CodeError(type=kind, message=message))


def _with(result: CodeResult, printed: PrintedText, *, duration_s: float) -> CodeResult:
    return CodeResult(
        status=result.status,
        stdout=printed.read("stdout"),
        stderr=printed.read("stderr"),
        value=result.value,
        is_value_repr=result.is_value_repr,
        error=result.error,
        duration_s=duration_s,
    )
