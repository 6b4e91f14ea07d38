"""What the headers of safetensors files tell of a model's weights, without reading the weights.

The format: https://huggingface.co/docs/safetensors (eight bytes of length, then JSON: name to type, shape and offsets).
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LENGTH_BYTES = 8
_LONGEST_HEADER_BYTES = 100_000_000  # the format's own limit
_FLOAT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWeights:
    """The weights of a model as they are stored.

    Attributes:
        size_bytes: Sum of the tensors' sizes, in bytes.
        float_bytes: Size of a number of the type that most tensors of plain numbers have, in bytes: the type that the
            model computes in. For quantised weights it is that of their scales. None when there is no such tensor.
    """

    size_bytes: int
    float_bytes: int | None


def read_stored_weights(directory: Path, /) -> StoredWeights:
    """Reads the headers of the files that mlx-lm loads a model from.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is no safetensors file.
    """
    tensors = [tensor for path in sorted(directory.glob("model*.safetensors")) for tensor in _tensors(path)]
    types = Counter(tensor["dtype"] for tensor in tensors if tensor["dtype"] in _FLOAT_BYTES)
    return StoredWeights(
        size_bytes=sum(tensor["data_offsets"][1] - tensor["data_offsets"][0] for tensor in tensors),
        float_bytes=_FLOAT_BYTES[types.most_common(1)[0][0]] if types else None,
    )


def _tensors(path: Path) -> Iterator[dict[str, Any]]:
    header = json.loads(_header(path))
    try:
        yield from (
            {"dtype": tensor["dtype"], "data_offsets": tuple(map(int, tensor["data_offsets"]))}
            for name, tensor in header.items()
            if name != "__metadata__"
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name!r} has a header that describes no tensors") from error


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if length > _LONGEST_HEADER_BYTES:
            raise ValueError(f"{path.name!r} is no safetensors file")
        return file.read(length)
