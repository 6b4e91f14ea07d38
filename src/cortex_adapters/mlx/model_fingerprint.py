"""Names what a model computes: the same name for the same weights, read by the same library."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from cortex_domain.language_models import LoadOptions, ModelFiles

_LIBRARIES = ("mlx", "mlx-lm")


def model_fingerprint(files: ModelFiles, options: LoadOptions, /) -> bytes:
    """Makes a digest of all that keys and values depend on besides tokens.

    Weights are named by revision and by each file's name, size and time of change; reading them would take as long as
    loading them.
    """
    facts = {
        "model": [files.model_id, files.revision, _file_facts(Path(files.directory))],
        "libraries": [f"{library} {version(library)}" for library in _LIBRARIES],
        "options": {name: str(getattr(options, name)) for name in sorted(options.given)},
        "lora_files": None if options.lora_weights is None else _file_facts(Path(options.lora_weights)),
    }
    return hashlib.sha256(json.dumps(facts).encode()).digest()


def _file_facts(directory: Path) -> list[tuple[str, int, int]]:
    paths = sorted(path for path in directory.iterdir() if path.suffix in {".json", ".safetensors"})
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
