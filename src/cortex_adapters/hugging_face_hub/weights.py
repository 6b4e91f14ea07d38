"""Which files of a model are weights, and whether they are all there."""

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic_core import from_json

WEIGHTS_INDEX = "model.safetensors.index.json"
_HEADER_LIMIT_BYTES = 100_000_000  # the format's own limit
_LENGTH_BYTES = 8


def is_weights(name: str) -> bool:
    """Tells whether a file is one that MLX reads weights from."""
    return fnmatchcase(name, "model*.safetensors")


def missing_weights(index: bytes, present: Collection[str]) -> list[str]:
    """Lists the files that a weights index names and `present` lacks.

    Raises:
        ValueError: The index is not one.
    """
    content = from_json(index)
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weight_map, dict):
        raise ValueError(f"{WEIGHTS_INDEX} maps no weights to files")  # noqa: TRY004 - one error for all bad content
    return sorted({str(name) for name in weight_map.values()}.difference(present))


def has_whole_weights(path: Path) -> bool:
    """Tells whether a safetensors file is as long as its own header says, without reading the weights.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if header_bytes > _HEADER_LIMIT_BYTES:
            return False
        header = file.read(header_bytes)
    try:
        data_bytes = max(_data_ends(from_json(header)), default=0)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    return path.stat().st_size == _LENGTH_BYTES + header_bytes + data_bytes


def _data_ends(header: dict[str, dict[str, list[int]]]) -> Iterable[int]:
    return [int(tensor["data_offsets"][1]) for name, tensor in header.items() if name != "__metadata__"]
