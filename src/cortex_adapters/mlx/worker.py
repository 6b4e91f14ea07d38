"""The worker process: an engine that takes commands on standard input and reports on standard output.

usage: python -m cortex_adapters.mlx.worker [OPTIONS]

OPTIONS are those of `engine_options`, as JSON.

It ends when it is told to, or when its input ends, because then nobody is left to work for.
"""

import atexit
import gc
import logging
import os
import queue
import signal
import sys
import threading
from typing import BinaryIO

from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_loop import CommandQueue, EngineLoop
from cortex_adapters.mlx.engine_messages import StopEngine
from cortex_adapters.mlx.engine_options import EngineOptions
from cortex_adapters.mlx.frames import HEADER, decode_body
from cortex_adapters.mlx.report_writer import ReportWriter
from cortex_adapters.mlx.worker_log import ReportingHandler

logger = logging.getLogger(__name__)


def main() -> None:
    """Runs until told to stop."""
    # Ctrl-C and a service manager's SIGTERM reach every process of a group; the parent decides what they mean.
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, signal.SIG_IGN)
    reports = _claim_stdout()
    commands: CommandQueue = queue.SimpleQueue()
    threading.Thread(target=_read_commands, args=(sys.stdin.fileno(), commands), daemon=True).start()

    writer = ReportWriter(reports)
    atexit.register(writer.close)  # after the last word, which is about what nobody caught
    logging.basicConfig(level=logging.WARNING, handlers=[ReportingHandler(writer.put)])
    _log_what_nobody_catches()
    gc.freeze()  # what the modules made stays for ever: to look through it takes a tenth of a second each time
    EngineLoop(Engine(EngineOptions.from_arguments(sys.argv[1:])), commands, writer.put).run()


def _log_what_nobody_catches() -> None:
    """Keeps Python from printing exceptions with their messages, which may quote what a user wrote."""
    sys.excepthook = lambda *raised: logger.critical("The worker fails", exc_info=raised)
    threading.excepthook = lambda raised: logger.error("A thread failed", exc_info=raised.exc_value)


def _claim_stdout() -> BinaryIO:
    """Takes standard output for frames; whatever else is printed goes to standard error."""
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return reports


def _read_commands(source: int, commands: CommandQueue) -> None:
    # Straight from the descriptor: at exit, a buffered reader would wait for this thread's lock.
    try:
        while (header := _read_exactly(source, HEADER.size)) and (
            body := _read_exactly(source, HEADER.unpack(header)[0])
        ):
            commands.put(decode_body(body))
    finally:
        commands.put(StopEngine())


def _read_exactly(source: int, size: int) -> bytes:
    """Reads `size` bytes, or none when the other side has closed before them."""
    received = bytearray()
    while len(received) < size:
        piece = os.read(source, size - len(received))
        if not piece:
            return b""
        received += piece
    return bytes(received)


if __name__ == "__main__":
    main()
