"""The machine's memory, as much of it as this process may have.

A container or a service may be given less than the machine has; the kernel ends what takes more, without a warning, so
its limit counts. Linux tells it in files of the process's control group:
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files (version 2; others are not read).
"""

from dataclasses import dataclass
from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_VERSION_2 = "0::/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemMemory:
    """A look at the memory.

    Attributes:
        total_bytes: What this process and those that share its limit may have together, in bytes.
        available_bytes: What may be taken without pushing others out, in bytes.
    """

    total_bytes: int
    available_bytes: int


def system_memory(*, cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> SystemMemory:
    """Reads the machine's memory, cut to the limit of the control group that this process is in.

    Args:
        cgroups: Where control groups are mounted.
        own_cgroup: The file that names this process's.
    """
    machine = psutil.virtual_memory()
    group = _memory_of_group(cgroups, own_cgroup)
    return SystemMemory(
        total_bytes=min(machine.total, group.total_bytes) if group else machine.total,
        available_bytes=min(machine.available, group.available_bytes) if group else machine.available,
    )


def _memory_of_group(cgroups: Path, own_cgroup: Path) -> SystemMemory | None:
    """Reads the limit; None where there is none, or none of a kind that is known here."""
    try:
        directory = cgroups / _own_path(own_cgroup)
        limit_bytes = int((directory / "memory.max").read_text())
        used_bytes = int((directory / "memory.current").read_text())
        pages = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    # Pages of files that nobody used lately are counted as used, and given up when memory is short.
    held_bytes = used_bytes - int(pages.get("inactive_file", 0))
    return SystemMemory(total_bytes=limit_bytes, available_bytes=max(0, limit_bytes - held_bytes))


def _own_path(own_cgroup: Path) -> str:
    lines = own_cgroup.read_text().splitlines()
    return next((line.removeprefix(_VERSION_2) for line in lines if line.startswith(_VERSION_2)), "")
