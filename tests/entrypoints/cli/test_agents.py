"""`cortex agent`, as a person and as a program use it."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.entrypoints.cli.terminal import Terminal

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]
AGENTS = {"ENABLE_AGENTS": "true"}
WRITER = 'tools = ["write_file"]\nfirst_tool_choice = "required"\n'
ECHO = 'description = "Says it again."\n'


@pytest.fixture
def agent_environment(cli_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "writer.toml").write_text(WRITER)
    (tmp_path / "agents" / "echo.toml").write_text(ECHO)
    (tmp_path / "workspace").mkdir()
    return cli_environment | {
        **AGENTS,
        "AGENTS_DIR": str(tmp_path / "agents"),
        "DATA_DIR": str(tmp_path / "data"),
        "ENABLE_FILE_OPERATIONS": "true",
        "WORKSPACE_DIR": str(tmp_path / "workspace"),
        "TERM": "dumb",
    }


@pytest.fixture
def agent(cortex_command: CortexCommand, agent_environment: dict[str, str]) -> CortexCommand:
    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return cortex_command("agent", *arguments, **{**agent_environment, **variables})

    return run


@pytest.fixture
def terminal(agent_environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str) -> Terminal:
        opened.append(Terminal(["agent", *arguments], agent_environment))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def test_the_answer_is_all_that_a_program_gets(agent: CortexCommand) -> None:
    ended = agent("run", "echo", "Say this again")
    assert (ended.returncode, ended.stdout) == (0, "Say this again\n")


def test_agents_and_runs_are_listed(agent: CortexCommand) -> None:
    agent("run", "echo", "Say this\nagain")
    rows = [line.split("\t") for line in agent("list").stdout.splitlines()]
    assert [row[0] for row in rows] == ["AGENT", "analyst", "assistant", "echo", "researcher", "writer"]
    assert rows[4][2] == "web_search, fetch_page"
    runs = [line.split("\t") for line in agent("runs").stdout.splitlines()]
    assert [run[1:3] for run in runs] == [["AGENT", "STATE"], ["echo", "completed"]]
    assert runs[1][4] == "Say this again"


def test_without_a_person_a_run_waits(agent: CortexCommand) -> None:
    ended = agent("run", "writer", "Write.")
    assert ended.returncode == 1
    assert "the run waits for a person. Go on with: cortex agent resume run_" in ended.stderr
    run_id = ended.stderr.split()[-1]
    assert agent("runs").stdout.splitlines()[1].split("\t")[2] == "waiting_for_approval"
    assert agent("cancel", run_id).stdout == f"{run_id} is cancelled.\n"
    assert agent("resume", run_id).returncode == 1


@pytest.mark.parametrize(
    ("variables", "arguments", "said"),
    [
        ({"ENABLE_AGENTS": "false"}, ("list",), "Agents are switched off. Set ENABLE_AGENTS=true."),
        ({}, ("run", "nobody", "Dig."), "There is no agent 'nobody'"),
        ({}, ("resume", "run_0"), "There is no agent run 'run_0'"),
    ],
)
def test_what_cannot_be_done_is_said(
    agent: CortexCommand, variables: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    ended = agent(*arguments, **variables)
    assert ended.returncode == 1
    assert said in ended.stderr


def test_a_person_is_asked_and_edits(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    window = terminal("run", "writer", "Write.")
    window.wait_for("write_file (writes_local) is to be told:")
    window.wait_for("[a]pprove, [d]eny, [e]dit? ")
    window.type("e")
    window.wait_for("All arguments, as JSON: ")
    window.type("no json")
    window.wait_for("This is not JSON")
    window.type(json.dumps({"path": "note.txt", "content": "written"}))
    window.wait_for("approved with other arguments")
    assert window.process.wait(60) == 0
    assert (tmp_path / "workspace" / "note.txt").read_text() == "written"


def test_a_person_who_leaves_goes_on_later(
    terminal: Callable[..., Terminal], agent: CortexCommand, tmp_path: Path
) -> None:
    window = terminal("run", "writer", "Write.")
    window.wait_for("[e]dit? ")
    window.interrupt()
    window.wait_for("go on with: cortex agent resume ")
    assert window.process.wait(60) == 130
    run_id = agent("runs").stdout.splitlines()[1].split("\t")[0]
    later = terminal("resume", run_id)
    later.wait_for("[e]dit? ")
    later.type("what?")
    later.wait_for("[e]dit? ")
    later.type("d")
    later.wait_for("Why? ")
    later.type("Too early.")
    later.wait_for("denied: Too early.")
    deadline = time.monotonic() + 60
    while later.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert agent("runs").stdout.splitlines()[1].split("\t")[2] == "completed"
    assert list((tmp_path / "workspace").iterdir()) == []
