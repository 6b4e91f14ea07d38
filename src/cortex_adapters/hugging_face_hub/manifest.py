"""The manifest: what a pulled model consists of, kept beside its files.

It is written before the first byte, into the directory of the partial model, and becomes visible under the model's
name together with the files, once all of them are there and checked.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

MANIFEST_NAME = ".cortex-model.json"
"""Hidden, so that no file of a repository and no loader's `*.json` can mean it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """One file of a model.

    Attributes:
        name: Its name; models have no subdirectories here.
        size_bytes: Its size, in bytes.
        algorithm: `sha256` of the content, or git's `sha1` of it as a blob, as the hub keeps small files.
        checksum: The checksum, in lower-case hexadecimal digits.
    """

    name: str
    size_bytes: int
    algorithm: Literal["sha256", "git-sha1"]
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A model at one revision.

    Attributes:
        format: Version of this file format.
        model_id: The model.
        revision: The hub's commit.
        files: In the order in which they are fetched.
    """

    format: Literal[1] = 1
    model_id: str
    revision: str
    files: tuple[ManifestFile, ...]

    @property
    def total_bytes(self) -> int:
        """Sum of the files' sizes, in bytes."""
        return sum(file.size_bytes for file in self.files)


_MANIFEST = TypeAdapter(Manifest)


def read_manifest(directory: Path) -> Manifest | None:
    """Reads a directory's manifest; None when there is none, or one that no release of Cortex wrote.

    Raises:
        OSError: The disk cannot be read.
    """
    try:
        return _MANIFEST.validate_json((directory / MANIFEST_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Writes a directory's manifest, all of it or none.

    Raises:
        OSError: The disk cannot be written.
    """
    written = directory / f"{MANIFEST_NAME}.new"
    written.write_bytes(_MANIFEST.dump_json(manifest, indent=2))
    written.replace(directory / MANIFEST_NAME)
