"""A block of keys and values as one safetensors file that says what it is and whether it is whole.

The format: https://huggingface.co/docs/safetensors. Written and read here, because blocks are bytes of any type of
number, bfloat16 too, on threads that must not touch MLX.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

_LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArray:
    """An array as bytes.

    Attributes:
        dtype: Its type, as safetensors writes it.
        shape: Its shape.
        data: Its numbers, the last axis first, in the byte order of the machine.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlock:
    """Keys and values of a block."""

    keys: StoredArray
    values: StoredArray


def encode_block(name: str, block: StoredBlock, /) -> bytes:
    """Writes a block under its name."""
    arrays = {"keys": block.keys, "values": block.values}
    header: dict[str, Any] = {"__metadata__": {"name": name, "sha256": _checksum(name, block)}}
    begin = 0
    for key, array in arrays.items():
        end = begin + len(array.data)
        header[key] = {"dtype": array.dtype, "shape": array.shape, "data_offsets": [begin, end]}
        begin = end
    head = json.dumps(header).encode()
    return b"".join([len(head).to_bytes(_LENGTH_BYTES, "little"), head, *(array.data for array in arrays.values())])


def decode_block(name: str, content: bytes, /) -> StoredBlock:
    """Reads a block.

    Raises:
        ValueError: These bytes are no block of this name, or not what was written.
    """
    try:
        data_begins = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
        header = json.loads(content[_LENGTH_BYTES:data_begins])
        block = StoredBlock(
            keys=_array(header["keys"], content, data_begins), values=_array(header["values"], content, data_begins)
        )
        checksum = header["__metadata__"]["sha256"]
    except (AttributeError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"The file of block {name} has a header of another kind.") from error
    if checksum != _checksum(name, block):
        raise ValueError(f"The file of block {name} is damaged or another block's.")
    return block


def _array(facts: Any, content: bytes, data_begins: int) -> StoredArray:  # noqa: ANN401 - whatever a header says
    begin, end = facts["data_offsets"]
    data = content[data_begins + begin : data_begins + end]
    return StoredArray(dtype=str(facts["dtype"]), shape=tuple(facts["shape"]), data=data)


def _checksum(name: str, block: StoredBlock) -> str:
    digest = hashlib.sha256(name.encode())
    for array in (block.keys, block.values):
        digest.update(json.dumps([array.dtype, array.shape, len(array.data)]).encode())
        digest.update(array.data)
    return digest.hexdigest()
