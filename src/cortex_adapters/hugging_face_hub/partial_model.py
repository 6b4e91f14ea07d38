"""A model on its way: the directory that its files grow in until all of them are there and checked.

Its manifest tells what the files are going to be. A file counts as begun only when an earlier manifest wanted the
same name, size and checksum, so a pull goes on across restarts and revisions and never mixes two of them.
"""

import shutil
from pathlib import Path

from cortex_adapters.hugging_face_hub.manifest import (
    MANIFEST_NAME,
    Manifest,
    ManifestFile,
    read_manifest,
    write_manifest,
)


class PartialModel:
    """The directory of one unfinished pull. Every method may raise `OSError`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def manifest(self) -> Manifest | None:
        """Returns what is being pulled; None when nothing is."""
        return read_manifest(self.directory)

    def prepare(self, manifest: Manifest) -> None:
        """Keeps what the manifest has use for, removes the rest, and records the manifest."""
        self.directory.mkdir(parents=True, exist_ok=True)
        kept = {MANIFEST_NAME, *(file.name for file in self._begun(manifest))}
        for entry in self.directory.iterdir():
            if entry.name not in kept:
                remove_path(entry)
        write_manifest(self.directory, manifest)

    def completed_bytes(self, manifest: Manifest) -> int:
        """Returns how many bytes of the manifest's files are here."""
        return sum(min(self._size(file), file.size_bytes) for file in self._begun(manifest))

    def path(self, file: ManifestFile) -> Path:
        """Returns where a file grows."""
        return self.directory / file.name

    def _begun(self, manifest: Manifest) -> set[ManifestFile]:
        earlier = self.manifest()
        return set(manifest.files).intersection(earlier.files) if earlier else set()

    def _size(self, file: ManifestFile) -> int:
        try:
            return self.path(file).stat().st_size
        except FileNotFoundError:
            return 0


def remove_path(path: Path) -> None:
    """Removes a file, a directory with all that is in it, or a link and not what it points to.

    Raises:
        OSError: It cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
