"""The LoRA weights that clients may name: those below one directory, and nothing that a link reaches outside of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from cortex_domain.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class LoraDirectory:
    """Turns the names that clients use into paths, and back.

    Attributes:
        root: All LoRA weights are below it; it need not exist.
    """

    root: Path

    def find(self, name: str, /) -> Path:
        """Returns the directory of this name, which need not exist.

        Args:
            name: A relative path without `..`.

        Raises:
            InvalidRequestError: Something of it is a link that leads out.
        """
        try:
            root = self.root.resolve()
            directory = (root / name).resolve()
            is_inside = all(path.is_relative_to(root) for path in _reached(directory))
        except (OSError, RuntimeError):  # links in a circle, a directory that may not be read
            is_inside = False
        if not is_inside:
            message = f"{name!r} cannot be used: the server reads LoRA weights in its LORA_DIR only."
            raise InvalidRequestError(message, parameter="lora_weights")
        return directory

    def name_of(self, directory: PurePath, /) -> str:
        """Returns the name of a directory; one that is elsewhere is named by its path."""
        root = self.root.resolve()
        return (directory.relative_to(root) if directory.is_relative_to(root) else directory).as_posix()


def _reached(directory: Path) -> Iterator[Path]:
    yield directory
    if directory.is_dir():
        yield from (entry.resolve() for entry in directory.iterdir())
