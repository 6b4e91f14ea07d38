"""The programs of docs/tools.md do what the page says: those that print something by themselves, others as clients."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.end_to_end.live_process import LiveProcess, live_process

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text()
_CODE = r"((?:(?!^```).)*)"
PRINTING = re.findall(rf"^```python\n{_CODE}^```\n\n```text\n{_CODE}^```$", PAGE, re.MULTILINE | re.DOTALL)
CLIENTS = [
    program
    for program in re.findall(rf"^```python\n{_CODE}^```$", PAGE, re.MULTILINE | re.DOTALL)
    if "127.0.0.1:8000" in program
]
(SHELL,) = re.findall(rf"^```bash\n{_CODE}^```\n\n```json\n{_CODE}^```$", PAGE, re.MULTILINE | re.DOTALL)


def _run(program: str, directory: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_program_is_run_below() -> None:
    assert len(PRINTING) + len(CLIENTS) == PAGE.count("```python")
    assert PAGE.count("```bash") == 1


@pytest.mark.parametrize(("program", "printed"), PRINTING)
def test_a_program_prints_what_the_page_says(program: str, printed: str, tmp_path: Path) -> None:
    assert _run(program, tmp_path) == printed


@pytest.mark.parametrize("program", CLIENTS)
def test_a_client_is_answered(program: str, echo_server: LiveProcess, tmp_path: Path) -> None:
    assert _run(program.replace("http://127.0.0.1:8000", echo_server.url), tmp_path).strip()


def test_the_built_in_tools_have_their_names_and_answer_as_shown(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("lamp\n")
    flags = {f"ENABLE_{name}": "true" for name in ("CODE_EXECUTION", "FILE_OPERATIONS", "WEB_SEARCH")}
    chosen = {"DEFAULT_MODEL": "fake/echo", "WORKSPACE_DIR": str(tmp_path), "SEARXNG_URL": "http://127.0.0.1:9"}
    command, answer = SHELL
    with live_process(flags | chosen) as server:
        with urlopen(f"{server.url}/api/tools", timeout=60) as listing:
            tools = {tool["name"]: list(tool["parameters"]["properties"]) for tool in json.load(listing)["tools"]}
        command = command.replace("http://localhost:8000", server.url)
        ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert {**json.loads(ran.stdout), "duration_ms": 0.8} == json.loads(answer)
    assert tools.keys() == {
        *("edit_file", "list_files", "read_file", "search_files", "write_file"),
        *("fetch_page", "run_python", "web_search"),
    }
    assert tools["read_file"] == ["path", "start", "end"]
    assert tools["write_file"] == ["path", "content"]
    assert (tools["run_python"], tools["web_search"], tools["fetch_page"][0]) == (["code"], ["query"], "url")
