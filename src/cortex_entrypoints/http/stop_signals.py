"""SIGTERM and SIGINT: the first asks the server to stop, the second stops the process."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Counts the signals of one server.

    Args:
        stop: Set by the first signal.
        patience_s: How long stopping may take before the process is ended by force.
    """

    def __init__(self, stop: asyncio.Event, *, patience_s: float) -> None:
        self._stop = stop
        self._watchdog = threading.Timer(patience_s, os._exit, args=(1,))
        self._watchdog.daemon = True

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handles the signals for as long as the block runs; call it in the main thread."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._receive, number)
        try:
            yield
        finally:
            self._watchdog.cancel()
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _receive(self, number: int) -> None:
        if self._stop.is_set():
            os._exit(128 + number)
        self._stop.set()
        self._watchdog.start()
