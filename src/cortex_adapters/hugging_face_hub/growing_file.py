"""A file that is fetched piece by piece, goes on where an earlier attempt ended, and is checked as it grows."""

import hashlib
import os
from contextlib import ExitStack
from io import BufferedRandom
from pathlib import Path

from cortex_adapters.hugging_face_hub.manifest import ManifestFile

_STEP_BYTES = 16 * 2**20


class AlteredFileError(Exception):
    """What arrived is not what the hub announced; the message says how, as a sentence without its full stop."""


class GrowingFile:
    """One file of a pull. Any method may raise `OSError`.

    After `open`, call `read_next_step` until it returns False: the checksum covers what earlier attempts wrote.

    Attributes:
        file: What the file is going to be.
        received_bytes: How much of it is here.
    """

    _stream: BufferedRandom

    def __init__(self, path: Path, file: ManifestFile) -> None:
        self.file = file
        self.received_bytes = 0
        self._path = path
        self._cleanup = ExitStack()
        self._checksum = _new_checksum(file)

    @property
    def missing_bytes(self) -> int:
        """How much of the file is not here."""
        return self.file.size_bytes - self.received_bytes

    def open(self) -> None:
        """Opens the file; one that does not exist is made."""
        self._stream = self._cleanup.enter_context(self._path.open("a+b"))
        self._stream.seek(0)

    def read_next_step(self) -> bool:
        """Reads on in what is here already; returns whether there may be more of it."""
        data = self._stream.read(_STEP_BYTES)
        self._count(data)
        return bool(data)

    def append(self, data: bytes) -> None:
        """Writes what arrived.

        Raises:
            AlteredFileError: It is more than was announced.
        """
        self._count(data)
        self._stream.write(data)
        self._stream.flush()  # the size on disk is what progress is read from

    def restart(self) -> None:
        """Forgets what is here."""
        self._stream.truncate(0)
        self.received_bytes = 0
        self._checksum = _new_checksum(self.file)

    def check(self) -> None:
        """Makes sure that the file is on the disk and is what the hub announced; one that is not is removed.

        Raises:
            AlteredFileError: It is something else.
        """
        os.fsync(self._stream.fileno())
        if self._checksum.hexdigest() != self.file.checksum:
            self._refuse("arrived altered: its checksum is not the hub's")

    def close(self) -> None:
        """Ends the use of the file and keeps what is in it."""
        self._cleanup.close()

    def _count(self, data: bytes) -> None:
        self.received_bytes += len(data)
        if self.missing_bytes < 0:
            self._refuse("is longer than the hub announced")
        self._checksum.update(data)

    def _refuse(self, flaw: str) -> None:
        self._path.unlink()
        raise AlteredFileError(f"{self.file.name!r} {flaw}, so it was removed; pull the model again")


def _new_checksum(file: ManifestFile) -> "hashlib._Hash":
    if file.algorithm == "sha256":
        return hashlib.sha256()
    header = b"blob %d\0" % file.size_bytes  # git checksums a file with its kind and length in front
    return hashlib.sha1(header, usedforsecurity=False)
