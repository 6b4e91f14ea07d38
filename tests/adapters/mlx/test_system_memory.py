from pathlib import Path

import psutil
import pytest

from cortex_adapters.mlx.system_memory import system_memory


def _group(directory: Path, **files: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / f"memory.{name}").write_text(content)
    return directory


def _own(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "own"
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("own", "place"), [("0::/\n", ""), ("1:name=x:/y\n0::/a.slice/b.service\n", "a.slice/b.service")]
)
def test_the_limit_of_a_group_counts(tmp_path: Path, own: str, place: str) -> None:
    stat = "anon 600000\ninactive_file 150000\nactive_file 250000\n"
    _group(tmp_path / "groups" / place, max="1000000\n", current="1000000\n", stat=stat)
    memory = system_memory(cgroups=tmp_path / "groups", own_cgroup=_own(tmp_path, own))
    assert (memory.total_bytes, memory.available_bytes) == (1_000_000, 150_000)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"max": "max\n", "current": "5", "stat": ""},
        {"max": "5", "current": "5"},
        {"max": "5", "current": "5", "stat": "no numbers here"},
        {"max": str(2**60), "current": "0", "stat": ""},
    ],
)
def test_without_a_limit_it_is_the_machines_memory(tmp_path: Path, files: dict[str, str]) -> None:
    groups = _group(tmp_path / "groups", **files)
    memory = system_memory(cgroups=groups, own_cgroup=_own(tmp_path, "0::/"))
    assert memory.total_bytes == psutil.virtual_memory().total
    assert 0 < memory.available_bytes <= memory.total_bytes


def test_a_group_that_is_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    groups = _group(tmp_path / "groups", max="1000", current="3000", stat="")
    assert system_memory(cgroups=groups, own_cgroup=_own(tmp_path, "0::/")).available_bytes == 0
