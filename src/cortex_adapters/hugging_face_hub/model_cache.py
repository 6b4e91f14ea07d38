"""Where models lie on disk.

    <cache_dir>/
    ├── someone--their-model/         one directory a model: its id with `--`, which no id contains, for `/`
    │   ├── .cortex-model.json        the manifest: revision, files, sizes, checksums
    │   └── config.json, model.safetensors, …
    └── .partial/
        ├── me--other-model/          a pull that has not finished
        └── me--other-model.lock      held while it runs, by whichever process runs it

A finished pull moves its directory from `.partial` to its name in one step, so what is under its name is complete.
A directory that a person puts there is listed too, if it has a whole model in it; such a model has no revision.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import AsyncFileLock, Timeout

from cortex_adapters.hugging_face_hub.manifest import Manifest
from cortex_adapters.hugging_face_hub.model_directory import ModelDirectory, read_model_directory
from cortex_adapters.hugging_face_hub.partial_model import PartialModel, remove_path
from cortex_adapters.hugging_face_hub.uninterrupted import run_to_end
from cortex_domain.errors import InvalidRequestError, StorageError
from cortex_domain.language_models import ModelId, parse_model_id


class ModelCache:
    """The directory that all models are in. Every method may raise `OSError`."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir
        self._partial_dir = cache_dir / ".partial"

    def model_ids(self) -> set[ModelId]:
        """Finds the ids that have a directory here, be it complete, partial or of no model at all."""
        names = [*_directory_names(self._cache_dir), *_directory_names(self._partial_dir)]
        return {model_id for name in names if (model_id := _to_model_id(name)) is not None}

    def find(self, model_id: ModelId) -> ModelDirectory | None:
        """Finds what is under a model's name; None when no model is."""
        return read_model_directory(self._directory(model_id))

    def find_complete(self, model_id: ModelId) -> ModelDirectory | None:
        """Finds a model that is whole; None when it is not here or something of it is missing."""
        found = self.find(model_id)
        return found if found is not None and found.problem() is None else None

    def partial(self, model_id: ModelId) -> PartialModel:
        """Returns the place of a model's unfinished pull, whether there is one or not."""
        return PartialModel(self._partial_dir / _to_name(model_id))

    def free_bytes(self) -> int:
        """Returns how many bytes the disk has free for models."""
        self._cache_dir.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._cache_dir).free

    @asynccontextmanager
    async def locked(self, model_id: ModelId, *, wait: bool) -> AsyncIterator[None]:
        """Keeps every other pull and delete of this model out, those of other processes included.

        Raises:
            StorageError: With `wait` false, and somebody else is in.
        """
        path = self._partial_dir / f"{_to_name(model_id)}.lock"
        await run_to_end(path.parent.mkdir, parents=True, exist_ok=True)
        try:
            async with AsyncFileLock(path, timeout=-1 if wait else 0):
                try:
                    yield
                finally:
                    # Whoever waits notices that the file is gone and makes a new one.
                    await run_to_end(path.unlink, missing_ok=True)
        except Timeout as exc:
            raise StorageError(f"{model_id!r} is being downloaded. Stop that first, then delete it.") from exc

    def begin(self, manifest: Manifest) -> PartialModel:
        """Makes room for a pull and keeps what earlier ones, or a damaged model of this name, have of it.

        Raises:
            StorageError: Something that Cortex did not put there has this model's name.
        """
        model_id = ModelId(manifest.model_id)
        partial = self.partial(model_id)
        directory = self._directory(model_id)
        if directory.is_symlink() or directory.exists():
            self._take_back(directory, partial)
        partial.prepare(manifest)
        return partial

    def publish(self, model_id: ModelId) -> None:
        """Gives a finished pull the model's name."""
        self.partial(model_id).directory.rename(self._directory(model_id))

    def remove(self, model_id: ModelId) -> None:
        """Removes all that a model has here."""
        partial = self.partial(model_id).directory
        remove_path(partial)
        directory = self._directory(model_id)
        if directory.is_symlink():
            directory.unlink()
        elif directory.exists():
            directory.rename(partial)  # from here on the model is gone, however long the rest takes
            remove_path(partial)

    def _take_back(self, directory: Path, partial: PartialModel) -> None:
        found = read_model_directory(directory)
        if directory.is_symlink() or found is None or found.manifest is None:
            raise StorageError(f"{directory} is in the way and holds no whole model. Move it, then pull again.")
        if partial.directory.exists():
            remove_path(directory)
        else:
            directory.rename(partial.directory)

    def _directory(self, model_id: ModelId) -> Path:
        return self._cache_dir / _to_name(model_id)


def _to_name(model_id: ModelId) -> str:
    return parse_model_id(model_id).replace("/", "--")  # parsed again: this is what keeps us inside the cache


def _to_model_id(name: str) -> ModelId | None:
    namespace, _, last = name.rpartition("--")
    try:
        return parse_model_id(f"{namespace}/{last}" if namespace else last)
    except InvalidRequestError:
        return None


def _directory_names(parent: Path) -> Iterator[str]:
    try:
        yield from (entry.name for entry in parent.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return
