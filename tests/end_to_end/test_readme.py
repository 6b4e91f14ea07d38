"""The library session of the README runs as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_entrypoints import Settings

ROOT = Path(__file__).parents[2]
SESSION = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)[0]


def run_session(directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(ROOT / source) for source in ("src", "contracts"))
    return subprocess.run(
        [sys.executable, "-c", SESSION],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env=os.environ | variables | {"PYTHONPATH": paths},
        timeout=600,
    )


def test_the_library_session_runs_on_the_fake_model(tmp_path: Path) -> None:
    ended = run_session(tmp_path, DEFAULT_MODEL="fake/echo")
    assert (ended.stdout, ended.stderr) == ("What is the capital of France?", "")


@pytest.mark.real_model
def test_the_library_session_runs_on_the_starter_model(tmp_path: Path, starter_settings: Settings) -> None:
    variables = {"DEFAULT_MODEL": "starter", "DEFAULT_MAX_TOKENS": "16"}
    ended = run_session(tmp_path, MODEL_CACHE_DIR=str(starter_settings.model_cache_dir), **variables)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert ended.stdout
