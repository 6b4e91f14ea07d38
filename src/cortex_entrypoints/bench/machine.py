"""Says what machine this is."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_REPORTED_PACKAGES = ("cortex-platform", "mlx", "mlx-lm", "quart", "hypercorn", "h11")
_ASK_GPUS = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
_ASK_APPLE = ("sysctl", "-n", "machdep.cpu.brand_string")
_PATIENCE_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where the load came from; servers on other machines are not described.

    Attributes:
        system: Name and release of the operating system.
        processor: Name of the CPU.
        cores: CPU cores that this process may use.
        memory_bytes: Memory of the machine, in bytes.
        gpus: Name and driver of each NVIDIA card; empty when there is none.
        python: Version of Python.
        packages: Versions of what is installed of Cortex and what it runs on.
    """

    system: str
    processor: str
    cores: int
    memory_bytes: int
    gpus: Sequence[str]
    python: str
    packages: dict[str, str]

    def __str__(self) -> str:
        """One line for a person."""
        gpus = "".join(f", {gpu}" for gpu in self.gpus)
        return f"{self.processor}, {self.cores} cores, {self.memory_bytes / 2**30:.0f} GiB{gpus}, {self.system}"


def this_machine() -> Machine:
    """Describes the machine that this runs on."""
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=_processor(),
        cores=_cores(),
        memory_bytes=psutil.virtual_memory().total,
        gpus=_output_of(*_ASK_GPUS),
        python=platform.python_version(),
        packages={name: found for name in _REPORTED_PACKAGES if (found := _version(name)) is not None},
    )


def _processor() -> str:
    if platform.system() == "Darwin":
        return next(iter(_output_of(*_ASK_APPLE)), platform.processor())
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _output_of(program: str, *arguments: str) -> Sequence[str]:
    """The lines that a program prints; none when it is not here or fails."""
    path = shutil.which(program)
    if path is None:
        return []
    try:
        ended = subprocess.run([path, *arguments], capture_output=True, text=True, check=True, timeout=_PATIENCE_S)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in ended.stdout.splitlines() if line.strip()]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
