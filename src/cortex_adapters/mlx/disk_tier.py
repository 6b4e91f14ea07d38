"""Writes blocks to disk and reads them back, each on a thread of its own, so that no stream waits for a disk."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cortex_adapters.mlx.block_directory import BlockDirectory
from cortex_adapters.mlx.block_format import StoredBlock

logger = logging.getLogger(__name__)

MAX_WAITING_WRITES = 8
"""Blocks in memory that wait for the disk; more stay where they are until it is their turn."""


@dataclass(slots=True, eq=False, kw_only=True)
class Fetch:
    """Blocks that are being read for a sequence, in its order, up to the first that is not there.

    Attributes:
        names: The blocks.
        arrived: What was read and not taken yet.
        has_ended: Whether nothing more will arrive.
        is_unwanted: Set it to end the reading early.
    """

    names: Sequence[str]
    arrived: "queue.SimpleQueue[StoredBlock]" = field(default_factory=queue.SimpleQueue)
    has_ended: bool = False
    is_unwanted: bool = False


class DiskTier:
    """Blocks on disk, for the thread that computes.

    A disk that is full or broken ends the writing, with one warning; requests never see it.

    Args:
        directory: Where they are.
        wake: Called on some thread when something was read or written.
    """

    def __init__(self, directory: BlockDirectory, wake: Callable[[], None]) -> None:
        self._directory = directory
        self._wake = wake
        self._writes: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._is_broken = False
        self._threads = [
            threading.Thread(target=_run_all, args=(work,), name=name, daemon=True)
            for name, work in (("cortex-blocks-out", self._writes), ("cortex-blocks-in", self._reads))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return self._directory.nbytes

    @property
    def can_write(self) -> bool:
        """Whether another block may be handed over now."""
        return not self._is_broken and self._writes.qsize() < MAX_WAITING_WRITES

    def __contains__(self, name: str) -> bool:
        return name in self._directory

    def write(self, name: str, block: StoredBlock, /) -> None:
        """Has a block written some time."""
        self._writes.put(lambda: self._write(name, block))

    def touch(self, names: Sequence[str], /) -> None:
        """Notes that blocks were used, the last of these most recently."""
        self._writes.put(lambda: self._directory.touch(names))

    def fetch(self, names: Sequence[str], /) -> Fetch:
        """Has blocks read."""
        fetch = Fetch(names=names)
        self._reads.put(lambda: self._read(fetch))
        return fetch

    def close(self, *, patience_s: float) -> None:
        """Ends what runs, giving up on a disk that takes longer than this."""
        ends_s = time.monotonic() + patience_s
        for work in (self._reads, self._writes):
            work.put(None)
        for thread in self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))
        self._directory.close()

    def _write(self, name: str, block: StoredBlock) -> None:
        if not self._is_broken:
            try:
                self._directory.write(name, block)
            except OSError as error:
                self._is_broken = True
                logger.warning("No more prompts are kept on disk: %s", error)
        self._wake()

    def _read(self, fetch: Fetch) -> None:
        try:
            for name in fetch.names:
                block = None if fetch.is_unwanted else self._directory.read(name)
                if block is None:
                    break
                fetch.arrived.put(block)
                self._wake()
        finally:
            fetch.has_ended = True
            self._wake()


def _run_all(work: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    while (task := work.get()) is not None:
        try:
            task()
        except Exception:
            logger.exception("A thread of the prompts on disk stumbled")
