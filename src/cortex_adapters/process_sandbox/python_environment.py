"""Which Python runs the code, and what of the disk it needs."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from cortex_domain.errors import CodeExecutorUnavailableError

_ASK = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonEnvironment:
    """A Python on this machine.

    Attributes:
        executable: The interpreter.
        directories: What it reads: its own and, of a virtual environment, that of the Python it was made with.
    """

    executable: Path
    directories: tuple[Path, ...]


async def find_python(virtual_environment: Path | None, /) -> PythonEnvironment:
    """Finds out about a Python, by asking it.

    Args:
        virtual_environment: Directory of a virtual environment; None is the Python that runs this, without the packages
            of its virtual environment.

    Raises:
        CodeExecutorUnavailableError: There is no Python.
    """
    executable = _executable(virtual_environment)
    try:
        process = await asyncio.create_subprocess_exec(
            executable, "-I", "-c", _ASK, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        prefixes = [Path(prefix) for prefix in json.loads((await process.communicate())[0])]
    except (OSError, ValueError) as exc:
        raise CodeExecutorUnavailableError(f"There is no Python at {executable} that could run code.") from exc
    found = dict.fromkeys(path for prefix in prefixes for path in (prefix, prefix.resolve()))
    return PythonEnvironment(executable=executable, directories=tuple(found))


def _executable(virtual_environment: Path | None) -> Path:
    if virtual_environment is None:
        return Path(sys.executable).resolve()
    return virtual_environment.absolute() / "bin" / "python"
