"""Writes a worker's reports on a thread of its own.

The engine's thread gives up Python's lock while MLX hands a step to the device, which takes milliseconds on CUDA; what
is to be said of the step before is encoded and written in that time.
"""

import contextlib
import queue
import threading
from typing import BinaryIO

from cortex_adapters.mlx.engine_messages import Report
from cortex_adapters.mlx.frames import encode_frame
from cortex_adapters.mlx.worker_log import WorkerLogged


class ReportWriter:
    """Takes reports on any thread and writes them in the order in which they came.

    When one cannot be written, the stream is closed, so that the reader knows, and the next `put` raises.

    Args:
        stream: Where frames go.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._failure: Exception | None = None
        self._waiting: queue.SimpleQueue[Report | WorkerLogged | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="reports", daemon=True)
        self._thread.start()

    def put(self, message: Report | WorkerLogged, /) -> None:
        """Takes a report; it is written soon.

        Raises:
            Exception: What an earlier one could not be written for.
        """
        if self._failure is not None:
            raise self._failure
        self._waiting.put(message)

    def close(self) -> None:
        """Waits until everything that was put is written."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        try:
            while (message := self._waiting.get()) is not None:
                self._stream.write(encode_frame(message))
                self._stream.flush()
        except Exception as error:  # noqa: BLE001 - raised where the engine can end of it
            self._failure = error
        finally:
            self._close_stream()

    def _close_stream(self) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more
            self._stream.close()
