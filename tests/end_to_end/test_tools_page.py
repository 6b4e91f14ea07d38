"""The programs of docs/tools.md do what the page says: those that print something by themselves, others as clients."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.live_process import LiveProcess

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text()
PRINTING = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CLIENTS = re.findall(r"^```python\n((?:(?!```).)*?127\.0\.0\.1:8000.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def _run(program: str, directory: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_program_is_run_below() -> None:
    assert len(PRINTING) + len(CLIENTS) == PAGE.count("```python")


@pytest.mark.parametrize(("program", "printed"), PRINTING)
def test_a_program_prints_what_the_page_says(program: str, printed: str, tmp_path: Path) -> None:
    assert _run(program, tmp_path) == printed


@pytest.mark.parametrize("program", CLIENTS)
def test_a_client_is_answered(program: str, echo_server: LiveProcess, tmp_path: Path) -> None:
    assert _run(program.replace("http://127.0.0.1:8000", echo_server.url), tmp_path).strip()
