"""An engine on a thread of this process."""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial

from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_link import EngineEnd, EngineLink
from cortex_adapters.mlx.engine_loop import CommandQueue, EngineLoop
from cortex_adapters.mlx.engine_messages import Command, Report, StopEngine

logger = logging.getLogger(__name__)


class ThreadLink(EngineLink):
    """Runs each engine on a thread of its own, because MLX binds work to threads.

    For programs that embed Cortex, and for tests: nothing is copied, and nothing protects this process from a crash
    inside MLX.
    """

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._make_engine = make_engine
        self._commands: CommandQueue = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def start(self, on_report: Callable[[Report], None], on_end: Callable[[EngineEnd], None]) -> None:
        """See `EngineLink.start`."""
        post = partial(_post, asyncio.get_running_loop())
        self._commands = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run,
            args=(self._commands, lambda report: post(on_report, report), lambda end: post(on_end, end)),
            name="cortex-engine",
            daemon=True,
        )
        self._thread.start()

    def send(self, command: Command, /) -> None:
        """See `EngineLink.send`."""
        self._commands.put(command)

    async def stop(self) -> None:
        """See `EngineLink.stop`."""
        if self._thread is not None:
            self._commands.put(StopEngine())
            await asyncio.to_thread(self._thread.join)

    def _run(self, commands: CommandQueue, report: Callable[[Report], None], end: Callable[[EngineEnd], None]) -> None:
        try:
            EngineLoop(self._make_engine(), commands, report).run()
        except BaseException as error:
            logger.exception("The engine's thread ended")
            end(EngineEnd(description=f"failed with {error!r}", is_from_outside=False))
        else:
            end(EngineEnd(description="stopped", is_from_outside=True))


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop closed without `stop`: nobody listens
        loop.call_soon_threadsafe(callback, *args)
