"""The command that confines a program on macOS: Apple's sandbox, by way of nono-py.

It is written from what nono-py documents and from the profile that it makes, and was never run: it was made on Linux.
So it gives the program less than bubblewrap does, and nothing relies on it before code was seen to get nowhere
(`self_test`). The program sees the system's libraries and its Python, writes nothing, reaches no network and no service
of the system, and starts no process, so that none can stay. Memory is bounded by looking, because macOS bounds none.
"""

import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cortex_adapters.process_sandbox.python_environment import PythonEnvironment
from cortex_domain.code_execution import CodeLimits
from cortex_domain.errors import CodeExecutorUnavailableError

_SYSTEM: Final = ("/usr/lib", "/usr/share", "/System/Library", "/System/Cryptexes", "/private/var/db/dyld", "/dev")
_RULES: Final = (
    "(deny process-fork)",
    "(deny mach-lookup)",  # the services of the system start programs for whoever asks
    "(deny ipc-posix-shm*)",
    "(deny signal)",
    "(allow signal (target self))",
)
_LAUNCHER: Final = """
import json, os, sys
from nono_py import AccessMode, CapabilitySet, apply
told = json.loads(sys.argv[1])
capabilities = CapabilitySet()
for path in told["readable"]:
    if os.path.isdir(path):
        capabilities.allow_path(path, AccessMode.READ)
capabilities.block_network()
for rule in told["rules"]:
    capabilities.platform_rule(rule)
apply(capabilities)
os.execve(sys.argv[2], sys.argv[2:], told["environment"])
"""
_ENVIRONMENT: Final = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Seatbelt:
    """Writes command lines that put a program into Apple's sandbox.

    Raises:
        CodeExecutorUnavailableError: nono-py is not installed.
    """

    writable: Path | None = None

    def __init__(self) -> None:
        if find_spec("nono_py") is None:
            raise CodeExecutorUnavailableError(
                "Running code in all of Python needs nono-py: pip install 'cortex-platform[code]'"
            )

    def command(
        self,
        python: PythonEnvironment,
        *,
        workspace: Path | None,
        limits: CodeLimits,  # noqa: ARG002 - the program inside bounds itself, and is watched
        status_fd: int,  # noqa: ARG002 - there is one process only, and its number is known
    ) -> Sequence[str]:
        """Writes what comes before the program and its arguments.

        Raises:
            CodeExecutorUnavailableError: There is a workspace, which cannot be shown as `/workspace` here.
        """
        if workspace is not None:
            raise CodeExecutorUnavailableError("Code that runs in all of Python sees no workspace on macOS.")
        told = {
            "readable": [*_SYSTEM, *map(str, python.directories)],
            "rules": _RULES,
            "environment": _ENVIRONMENT,
        }
        return [sys.executable, "-I", "-B", "-c", _LAUNCHER, json.dumps(told)]
