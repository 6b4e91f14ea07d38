import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "cortex_entrypoints.cli.main")

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli_environment(tmp_path: Path) -> dict[str, str]:
    """What a newcomer's shell holds, with the echo model as default and homes of its own."""
    return os.environ | {
        "DEFAULT_MODEL": "fake/echo",
        "MODEL_CACHE_DIR": str(tmp_path / "models"),
        "PYTHONPATH": str(ROOT / "src"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


@pytest.fixture
def cortex_command(cli_environment: dict[str, str], tmp_path: Path) -> CortexCommand:
    """Runs `cortex` to its end in an empty directory; keywords are environment variables, `stdin` is piped in."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=cli_environment | variables,
            timeout=120,
        )

    return run
