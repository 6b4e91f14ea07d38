"""A directory that holds a model: pulled by Cortex, with a manifest, or put there by hand, without one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cortex_adapters.hugging_face_hub.chat_template import capabilities_of_template
from cortex_adapters.hugging_face_hub.file_selection import CONFIG, missing_part
from cortex_adapters.hugging_face_hub.manifest import Manifest, read_manifest
from cortex_adapters.hugging_face_hub.model_config import ModelConfig, parse_model_config
from cortex_adapters.hugging_face_hub.weights import WEIGHTS_INDEX, has_whole_weights, is_weights, missing_weights
from cortex_domain.language_models import Capability


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDirectory:
    """A model's directory as it is now.

    Attributes:
        path: The directory.
        manifest: What was pulled; None for a model put there by hand.
        sizes: The files at its top and their sizes, in bytes.
    """

    path: Path
    manifest: Manifest | None
    sizes: Mapping[str, int]

    @property
    def size_bytes(self) -> int:
        """Sum of the files' sizes, in bytes."""
        return sum(self.sizes.values())

    @property
    def weights_bytes(self) -> int:
        """Sum of the weights' sizes, in bytes."""
        return sum(size for name, size in self.sizes.items() if is_weights(name))

    def config(self) -> ModelConfig:
        """Reads the model's configuration; one that cannot be understood says nothing.

        Raises:
            OSError: The disk cannot be read.
        """
        try:
            return parse_model_config((self.path / CONFIG).read_bytes())
        except (FileNotFoundError, ValueError):
            return ModelConfig()

    def capabilities(self) -> frozenset[Capability]:
        """Tells what the model can do that not every model can.

        Raises:
            OSError: The disk cannot be read.
        """
        return capabilities_of_template(self.path)

    def problem(self) -> str | None:
        """Says what keeps this from being a complete model, as a sentence without its full stop; None when nothing.

        Sizes and headers are compared, contents are not read: those were checked while they arrived.

        Raises:
            OSError: The disk cannot be read.
        """
        return self._problem_by_manifest(self.manifest) if self.manifest else self._problem_by_content()

    def _problem_by_manifest(self, manifest: Manifest) -> str | None:
        for file in manifest.files:
            if self.sizes.get(file.name) != file.size_bytes:
                return f"{file.name!r} is missing or was changed; pull the model again"
        return None

    def _problem_by_content(self) -> str | None:
        try:
            return missing_part(self.sizes) or self._bad_config() or self._absent_weights() or self._cut_weights()
        except ValueError as exc:
            return f"a file cannot be understood ({exc})"

    def _bad_config(self) -> str | None:
        config = parse_model_config((self.path / CONFIG).read_bytes())
        return None if config.model_type else f"{CONFIG} names no model_type"

    def _absent_weights(self) -> str | None:
        if WEIGHTS_INDEX not in self.sizes:
            return None
        absent = missing_weights((self.path / WEIGHTS_INDEX).read_bytes(), self.sizes)
        return f"weights are missing: {', '.join(absent)}" if absent else None

    def _cut_weights(self) -> str | None:
        cut = [name for name in self.sizes if is_weights(name) and not has_whole_weights(self.path / name)]
        return f"{cut[0]!r} is cut short or damaged" if cut else None


def read_model_directory(path: Path) -> ModelDirectory | None:
    """Looks at a directory; None when there is none, or nothing of a model in it.

    Raises:
        OSError: The disk cannot be read.
    """
    if not path.is_dir():
        return None
    manifest = read_manifest(path)
    sizes = {entry.name: entry.stat().st_size for entry in path.iterdir() if _is_visible_file(entry)}
    if manifest is None and CONFIG not in sizes:
        return None
    return ModelDirectory(path=path, manifest=manifest, sizes=sizes)


def _is_visible_file(entry: Path) -> bool:
    return not entry.name.startswith(".") and entry.is_file()
