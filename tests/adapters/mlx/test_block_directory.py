"""Blocks outlive what wrote them, stay within their budget, and are dropped when anything about them is wrong."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.mlx.block_directory import BlockDirectory
from cortex_adapters.mlx.block_format import StoredArray, StoredBlock, decode_block, encode_block

PLENTY = 10**6


def _name(number: int) -> str:
    return f"{number:064x}"


def _block(number: int, size: int = 100) -> StoredBlock:
    keys = StoredArray(dtype="F32", shape=(1, 1, size // 4, 1), data=bytes([number % 256]) * size)
    return StoredBlock(keys=keys, values=StoredArray(dtype="BF16", shape=(size // 2,), data=os.urandom(size)))


def _file(directory: Path, number: int) -> Path:
    return directory / f"{_name(number)}.safetensors"


def _held(directory: BlockDirectory, numbers: range) -> list[int]:
    return [number for number in numbers if _name(number) in directory]


def test_what_was_written_is_read_by_the_next_engine(tmp_path: Path) -> None:
    block = _block(1)
    directory = BlockDirectory(tmp_path / "deep" / "cache", budget_bytes=PLENTY)
    directory.write(_name(1), block)
    directory.write(_name(1), _block(2))
    assert directory.read(_name(1)) == block
    nbytes = directory.nbytes
    directory.close()
    directory = BlockDirectory(tmp_path / "deep" / "cache", budget_bytes=PLENTY)
    assert directory.nbytes == nbytes == _file(tmp_path / "deep" / "cache", 1).stat().st_size
    assert directory.read(_name(1)) == block
    assert directory.read(_name(2)) is None
    directory.close()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    directory = BlockDirectory(tmp_path / "cache", budget_bytes=PLENTY)
    directory.write(_name(1), _block(1))
    directory.close()
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "cache").iterdir()} == {0o600}


def test_a_directory_has_one_engine_at_a_time(tmp_path: Path) -> None:
    first = BlockDirectory(tmp_path, budget_bytes=PLENTY)
    with pytest.raises(BlockingIOError):
        BlockDirectory(tmp_path, budget_bytes=PLENTY)
    first.close()
    BlockDirectory(tmp_path, budget_bytes=PLENTY).close()


def test_the_budget_holds_and_what_was_used_last_stays(tmp_path: Path) -> None:
    size = len(encode_block(_name(0), _block(0)))
    directory = BlockDirectory(tmp_path, budget_bytes=3 * size)
    for number in range(3):
        directory.write(_name(number), _block(number))
    directory.read(_name(0))
    directory.write(_name(3), _block(3))
    directory.touch([_name(2), _name(9), _name(0)])
    directory.write(_name(4), _block(4))
    assert _held(directory, range(5)) == [0, 2, 4]
    assert directory.nbytes == 3 * size == sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    directory.write(_name(5), _block(5, size=4 * size))
    assert _held(directory, range(6)) == [0, 2, 4]
    directory.close()


def test_a_smaller_budget_and_the_order_of_use_hold_from_the_start(tmp_path: Path) -> None:
    directory = BlockDirectory(tmp_path, budget_bytes=PLENTY)
    for number in range(4):
        directory.write(_name(number), _block(number))
        os.utime(_file(tmp_path, number), (number, number))
    directory.touch([_name(0)])
    size = directory.nbytes // 4
    directory.close()
    directory = BlockDirectory(tmp_path, budget_bytes=2 * size)
    assert _held(directory, range(4)) == [0, 3]
    directory.close()


def test_what_is_not_a_block_is_left_alone_and_what_is_unfinished_goes(tmp_path: Path) -> None:
    foreign = [tmp_path / name for name in ("notes.txt", "model.safetensors", "abc.safetensors")]
    unfinished = tmp_path / "tmp123.unfinished"
    for path in (*foreign, unfinished):
        path.write_bytes(b"x" * 100)
    directory = BlockDirectory(tmp_path, budget_bytes=1)
    assert directory.nbytes == 0
    assert all(path.exists() for path in foreign)
    assert not unfinished.exists()
    directory.close()


DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:-1],
    "cut in the header": lambda content: content[:20],
    "a bit in the data": lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
    "a bit in the shape": lambda content: content.replace(b"25", b"52", 1),
    "another type": lambda content: content.replace(b"BF16", b"F16 ", 1),
    "a long header": lambda content: b"\xff" * 8 + content[8:],
    "no JSON": lambda content: content[:8] + b"!" + content[9:],
    "a list": lambda content: (2).to_bytes(8, "little") + b"[]",
    "another block": lambda content: encode_block(_name(2), _block(2)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_a_miss_and_goes(tmp_path: Path, damage: object) -> None:
    directory = BlockDirectory(tmp_path, budget_bytes=PLENTY)
    directory.write(_name(1), _block(1))
    content = _file(tmp_path, 1).read_bytes()
    _file(tmp_path, 1).write_bytes(damage(content))  # type: ignore[operator]
    assert directory.read(_name(1)) is None
    assert directory.nbytes == 0
    assert not _file(tmp_path, 1).exists()
    directory.close()


def test_a_file_that_somebody_took_away_is_a_miss(tmp_path: Path) -> None:
    directory = BlockDirectory(tmp_path, budget_bytes=PLENTY)
    directory.write(_name(1), _block(1))
    _file(tmp_path, 1).unlink()
    directory.touch([_name(1)])
    assert directory.read(_name(1)) is None
    assert directory.nbytes == 0
    directory.close()


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    directory = BlockDirectory(tmp_path, budget_bytes=PLENTY)
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        directory.write(_name(1), _block(1))
    assert directory.nbytes == 0
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    directory.close()


@given(st.binary(max_size=300))
def test_no_bytes_are_a_block_by_accident(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the class is the promise
        decode_block(_name(1), content)
