"""An engine in a worker process."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Sequence

from cortex_adapters.mlx.engine_link import EngineEnd, EngineLink
from cortex_adapters.mlx.engine_messages import Command, Report, StopEngine
from cortex_adapters.mlx.engine_options import EngineOptions
from cortex_adapters.mlx.frames import HEADER, decode_body, encode_frame
from cortex_adapters.mlx.worker_log import WorkerLogged, log_again

logger = logging.getLogger(__name__)

STOPPING_PATIENCE_S = 10.0
"""How long a worker may take to free its models before it is killed."""

# -P: whatever lies in the working directory is not to be imported.
_WORKER = (sys.executable, "-P", "-m", "cortex_adapters.mlx.worker")


class ProcessLink(EngineLink):
    """Runs each engine in a process of its own: what kills it kills nothing else, and it leaves no memory behind.

    Args:
        worker: The command that starts one; it speaks frames on standard input and output.
        options: Handed to each engine, as arguments of the command.

    Attributes:
        pid: The worker's process id; None when there is no worker.
    """

    returns_memory = True

    def __init__(self, worker: Sequence[str] = _WORKER, *, options: EngineOptions = EngineOptions()) -> None:
        self._worker = (*worker, *options.to_arguments())
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id; None when there is no worker."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self, on_report: Callable[[Report], None], on_end: Callable[[EngineEnd], None]) -> None:
        """See `EngineLink.start`."""
        self._process = await asyncio.create_subprocess_exec(
            *self._worker, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.create_task(self._read(self._process, on_report, on_end))

    def send(self, command: Command, /) -> None:
        """See `EngineLink.send`."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(encode_frame(command))

    async def stop(self) -> None:
        """See `EngineLink.stop`."""
        if self._process is None or self._reading is None:
            return
        self.send(StopEngine())
        _, late = await asyncio.wait({self._reading}, timeout=STOPPING_PATIENCE_S)
        if late:
            logger.warning("The engine's process does not stop and is killed")
            _kill(self._process)
            await asyncio.wait({self._reading})

    async def _read(
        self,
        process: asyncio.subprocess.Process,
        on_report: Callable[[Report], None],
        on_end: Callable[[EngineEnd], None],
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            await _pass_on(process.stdout, on_report)
        except asyncio.IncompleteReadError:
            pass  # half a frame is the last word of a worker that was killed while it wrote
        except ValueError:
            logger.exception("The engine's process cannot be understood and is killed")
            _kill(process)
        on_end(_describe_end(await _exit_code(process)))
        with contextlib.suppress(OSError):  # it could not take all that was sent
            await process.stdin.wait_closed()


async def _pass_on(frames: asyncio.StreamReader, on_report: Callable[[Report], None]) -> None:
    while True:
        header = await frames.readexactly(HEADER.size)
        message = decode_body(await frames.readexactly(HEADER.unpack(header)[0]))
        if isinstance(message, WorkerLogged):
            log_again(message)
        else:
            on_report(message)


async def _exit_code(process: asyncio.subprocess.Process) -> int:
    """Waits for a process that says nothing more, and kills one that hangs on its way out."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), STOPPING_PATIENCE_S)
    _kill(process)
    return await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended
        process.kill()


def _describe_end(exit_code: int) -> EngineEnd:
    description = f"was ended by signal {-exit_code}" if exit_code < 0 else f"exited with code {exit_code}"
    return EngineEnd(description=description, is_from_outside=exit_code == -signal.SIGKILL)
