"""A converted model on disk: published whole or not at all, and known to be whole afterwards.

<root>/<name>/               the model, with `.files.json`: the names and sizes of its files
<root>/<name>.partial-…/     a conversion that has not finished, or was cut off
<root>/.removed/             what is being removed
<root>/.lock                 held by whoever converts or removes, in this or another process
"""

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import AsyncFileLock

_MANIFEST = ".files.json"


class ConvertedDirectory:
    """The place of a model in one format. Every method may raise `OSError`.

    Attributes:
        path: Where the model is, if it is here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = path.parent
        # A name of its own: a conversion that outlives its server writes nothing into that of the next one.
        self._partial = path.with_name(f"{path.name}.partial-{secrets.token_hex(4)}")

    def exists(self) -> bool:
        """Tells whether the model is here, be it damaged."""
        return self.path.is_dir()

    def has_root(self) -> bool:
        """Tells whether anything was ever converted here."""
        return self._root.is_dir()

    def size_bytes(self) -> int | None:
        """Adds up the model's files, in bytes.

        Returns None when there is no model, or a file is missing or has another size than it was published with.
        """
        sizes = self._published_sizes()
        if sizes is None or _sizes(self.path / name for name in sizes) != sizes:
            return None
        return sum(sizes.values())

    def free_bytes(self) -> int:
        """Returns how many bytes the disk has free."""
        return shutil.disk_usage(self._root).free

    @asynccontextmanager
    async def locked(self, *, timeout_s: float) -> AsyncIterator[None]:
        """Keeps everybody else from converting and removing.

        Args:
            timeout_s: How long to wait for whoever is in, in seconds; negative for as long as it takes.

        Raises:
            TimeoutError: Somebody is still in.
        """
        await asyncio.to_thread(self._root.mkdir, parents=True, exist_ok=True)
        # Trying the lock does not block; on a thread it could succeed after its waiter was cancelled.
        async with AsyncFileLock(self._root / ".lock", timeout=timeout_s, run_in_executor=False):
            yield

    def begin(self) -> Path:
        """Makes an empty directory to convert into, removing what earlier attempts, or a damaged model, left."""
        for unfinished in self._root.glob("*.partial-*"):
            self._remove(unfinished)
        if self.exists():
            self._remove(self.path)
        self._partial.mkdir()
        return self._partial

    def publish(self) -> int:
        """Makes the finished conversion the model, and returns its size in bytes."""
        sizes = _sizes(self._partial.iterdir())
        (self._partial / _MANIFEST).write_text(json.dumps(sizes), encoding="utf-8")
        for path in (*self._partial.iterdir(), self._partial):
            _flush(path)
        self._partial.rename(self.path)
        _flush(self._root)
        return sum(sizes.values())

    def discard(self) -> None:
        """Removes a conversion that has not finished."""
        if self._partial.exists():
            shutil.rmtree(self._partial)

    def remove_all_formats(self) -> None:
        """Removes this model and whatever else was converted beside it."""
        for path in self._root.iterdir():
            if path.is_dir():
                self._remove(path)

    def _published_sizes(self) -> dict[str, int] | None:
        try:
            sizes = json.loads((self.path / _MANIFEST).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return sizes if isinstance(sizes, dict) else None

    def _remove(self, directory: Path) -> None:
        removed = self._root / ".removed"
        if removed.exists():
            shutil.rmtree(removed)
        if directory != removed:
            directory.rename(removed)  # from here on it is gone, however long the rest takes
            shutil.rmtree(removed)


def _sizes(files: Iterable[Path]) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in files if file.is_file()}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
