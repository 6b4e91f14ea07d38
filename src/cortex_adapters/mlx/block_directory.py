"""Files of blocks in a directory that is one engine's own, within a budget of bytes."""

import contextlib
import logging
import os
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from cortex_adapters.mlx.block_format import StoredBlock, decode_block, encode_block

logger = logging.getLogger(__name__)

_SUFFIX = ".safetensors"
_UNFINISHED_SUFFIX = ".unfinished"
_NAME = re.compile(r"[0-9a-f]{64}")


class BlockDirectory:
    """Blocks by name, the least recently used ones first to go. One thread writes; any thread may do the rest.

    Only this user can read the files. Each is there whole or not at all, and checked when it is read. The order of use
    survives in the files' times. Files of other names are left alone and not counted.

    Args:
        path: The directory; made when it is not there.
        budget_bytes: What the files may take together, at least 1.

    Raises:
        OSError: The directory cannot be used, or another engine uses it.
    """

    def __init__(self, path: Path, *, budget_bytes: int) -> None:
        self._path = path
        self._budget_bytes = budget_bytes
        self._order = threading.Lock()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ownership = _own(path / ".lock")
        self._sizes = _scan(path)
        self._nbytes = sum(self._sizes.values())
        self._make_room(0)

    @property
    def nbytes(self) -> int:
        """Bytes of all files; never above the budget."""
        return self._nbytes

    def __contains__(self, name: str) -> bool:
        with self._order:
            return name in self._sizes

    def write(self, name: str, block: StoredBlock, /) -> None:
        """Keeps a block, unless it is larger than all that may be kept.

        Raises:
            OSError: The disk is full or broken.
        """
        content = encode_block(name, block)
        with self._order:
            if name in self._sizes or len(content) > self._budget_bytes:
                return
            self._make_room(len(content))
            self._nbytes += len(content)
        # Nobody who only looks waits for the disk.
        try:
            self._write_whole(name, content)
        except BaseException:
            with self._order:
                self._nbytes -= len(content)
            raise
        with self._order:
            self._sizes[name] = len(content)

    def read(self, name: str, /) -> StoredBlock | None:
        """Reads a block; None when it is not here, or no longer what was written."""
        try:
            block = decode_block(name, self._file(name).read_bytes())
        except (OSError, ValueError) as error:
            if name in self:
                logger.warning("A kept prompt cannot be used again and is dropped: %s", error)
            self._drop(name)
            return None
        self.touch([name])
        return block

    def touch(self, names: Sequence[str], /) -> None:
        """Notes that blocks were used, the last of these most recently."""
        with self._order:
            held = [name for name in names if name in self._sizes]
            for name in held:
                self._sizes.move_to_end(name)
        for name in held:
            with contextlib.suppress(OSError):
                os.utime(self._file(name))

    def close(self) -> None:
        """Lets another engine use the directory."""
        self._ownership.release()

    def _make_room(self, nbytes: int) -> None:
        while self._sizes and self._nbytes + nbytes > self._budget_bytes:
            name, size = self._sizes.popitem(last=False)
            self._nbytes -= size
            self._file(name).unlink(missing_ok=True)

    def _write_whole(self, name: str, content: bytes) -> None:
        descriptor, unfinished = tempfile.mkstemp(suffix=_UNFINISHED_SUFFIX, dir=self._path)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(self._file(name))
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise

    def _drop(self, name: str) -> None:
        with self._order:
            self._nbytes -= self._sizes.pop(name, 0)
            with contextlib.suppress(OSError):
                self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._path / f"{name}{_SUFFIX}"


def _own(path: Path) -> FileLock:
    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise BlockingIOError("another engine uses it") from error
    return lock


def _scan(directory: Path) -> "OrderedDict[str, int]":
    """Finds the blocks of earlier engines, the least recently used first, and removes what one left unfinished."""
    found: list[tuple[int, str, int]] = []
    for path in directory.iterdir():
        if path.suffix == _UNFINISHED_SUFFIX:
            path.unlink(missing_ok=True)
        elif path.suffix == _SUFFIX and _NAME.fullmatch(path.stem):
            facts = path.stat()
            found.append((facts.st_mtime_ns, path.stem, facts.st_size))
    return OrderedDict((name, size) for _, name, size in sorted(found))
