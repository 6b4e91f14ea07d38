"""The programs of docs/agents.md do what the page says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.live_process import LiveProcess, live_process

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRINTED = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def agent_server(tmp_path: Path) -> Iterator[LiveProcess]:
    settings = {"DEFAULT_MODEL": "fake/echo", "ENABLE_AGENTS": "true", "DATA_DIR": str(tmp_path / "server")}
    with live_process(settings) as server:
        yield server


def _run(program: str, directory: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=directory,
        env=os.environ | {"DATA_DIR": str(directory / "data")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_program_is_run_below() -> None:
    assert (len(PROGRAMS), len(PRINTED)) == (2, 1)


def test_a_client_runs_an_agent(agent_server: LiveProcess, tmp_path: Path) -> None:
    printed = _run(PROGRAMS[0].replace("http://127.0.0.1:8000", agent_server.url), tmp_path)
    assert printed == "completed What is 6 times 7?\n"


def test_a_program_runs_an_agent(tmp_path: Path) -> None:
    assert _run(PROGRAMS[1], tmp_path) == PRINTED[0]
