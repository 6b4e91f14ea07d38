"""Agents of the starter model, in a server that is a process of its own and may be killed."""

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest

from cortex_entrypoints import Settings
from tests.end_to_end.live_process import LiveProcess, live_process
from tests.entrypoints.http.sse import parse_frames

pytestmark = pytest.mark.real_model

RUNS = "/api/agent-runs"
SCHEMA = {
    "type": "object",
    "properties": {"result": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["result"],
    "additionalProperties": False,
}
# So small a model calls a tool well when it has seen how, and when it has to.
ANALYST = """
instructions = '''
You compute. Answer the question 1 + 1 with:
<tool_call>{"name": "run_python", "arguments": {"code": "print(1 + 1)"}}</tool_call>
and the question 9 * 3 with:
<tool_call>{"name": "run_python", "arguments": {"code": "print(9 * 3)"}}</tool_call>'''
tools = ["run_python"]
first_tool_choice = "required"
max_tokens = 40
sampling = { temperature = 0 }
budgets = { steps = 2, tool_calls = 1 }
policy = { effects = { runs_code = "allow" } }
"""
WRITER = """
instructions = '''
You write files. Write Hi into a.txt with:
<tool_call>{"name": "write_file", "arguments": {"path": "a.txt", "content": "Hi"}}</tool_call>'''
tools = ["write_file"]
first_tool_choice = "required"
max_tokens = 40
sampling = { temperature = 0 }
budgets = { steps = 2 }
"""


def computing(code: str) -> str:
    """Asks for code so that the model has to say it again and nothing else."""
    return f'Write {{"name": "run_python", "arguments": {{"code": "{code}"}}}}'


@pytest.fixture(scope="module")
def agent_settings(starter_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    home = tmp_path_factory.mktemp("agents")
    for name in ("agents", "workspace"):
        (home / name).mkdir()
    (home / "agents" / "analyst.toml").write_text(ANALYST)
    (home / "agents" / "writer.toml").write_text(WRITER)
    return {
        "DEFAULT_MODEL": "starter",
        "MODEL_CACHE_DIR": str(starter_settings.model_cache_dir),
        "PREFIX_CACHE_DISK_BYTES": "0",
        "ENABLE_AGENTS": "true",
        "ENABLE_CODE_EXECUTION": "true",
        "ENABLE_FILE_OPERATIONS": "true",
        "AGENTS_DIR": str(home / "agents"),
        "DATA_DIR": str(home / "data"),
        "WORKSPACE_DIR": str(home / "workspace"),
    }


@contextmanager
def serving(settings: Mapping[str, str]) -> Iterator[tuple[LiveProcess, httpx2.Client]]:
    with (
        live_process(settings) as server,
        httpx2.Client(base_url=server.url, timeout=300, trust_env=False) as client,
    ):
        yield server, client


def start(client: httpx2.Client, agent: str, task: str, **more: Any) -> dict[str, Any]:
    answer = client.post(RUNS, json={"agent": agent, "task": task, **more})
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run


def until_over(client: httpx2.Client, run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 300
    while (run := client.get(f"{RUNS}/{run_id}").json())["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found: dict[str, Any] = run
    return found


def decide(client: httpx2.Client, run: Mapping[str, Any], **decision: Any) -> dict[str, Any]:
    assert run["state"] == "waiting_for_approval", run
    [call] = run["pending_approvals"]
    assert call["name"] == "write_file"
    answer = client.post(f"{RUNS}/{run['id']}/approvals/{call['call_id']}", json=decision)
    assert answer.status_code == 200, answer.text
    return until_over(client, run["id"])


def events(client: httpx2.Client, run_id: str) -> list[tuple[str, Any]]:
    return [(frame.event, frame.data) for frame in parse_frames(client.get(f"{RUNS}/{run_id}/events").text)]


def test_runs_compute_ask_and_survive(agent_settings: Mapping[str, str]) -> None:
    """One server, killed once in the middle: starting one takes longer than all that is asked of it."""
    workspace = Path(agent_settings["WORKSPACE_DIR"])
    with serving(agent_settings) as (server, client):
        _computes(client)
        _asks(client, workspace)
        waiting = start(client, "writer", "Write Yes into b.txt.")
        cut = start(client, "analyst", computing("print(2 + 3)"), background=True)
        _until_the_model_is_asked(client, cut["id"])
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    with serving(agent_settings) as (_, client):
        over = until_over(client, cut["id"])
        assert over["state"] in ("completed", "budget_exhausted")
        kinds = [kind for kind, _ in events(client, cut["id"])]
        assert (kinds.count("run_resumed"), kinds.count("tool_result"), kinds[-1]) == (1, 1, "run_finished")
        written = decide(client, waiting, decision="edit", arguments={"path": "poem.txt", "content": "So late."})
        assert written["state"] in ("completed", "budget_exhausted")
        assert (workspace / "poem.txt").read_text() == "So late."


def _computes(client: httpx2.Client) -> None:
    output = {"type": "json_schema", "schema": SCHEMA}
    run = start(client, "analyst", computing("print(6 * 7)"), output=output)
    [result] = [data for kind, data in events(client, run["id"]) if kind == "tool_result"]
    assert (result["name"], result["status"]) == ("run_python", "ok")
    assert "42" in json.dumps(result["content"])
    jsonschema.validate(run["output"], SCHEMA)


def _asks(client: httpx2.Client, workspace: Path) -> None:
    denied = decide(client, start(client, "writer", "Write Yes into b.txt."), decision="deny", reason="No.")
    assert list(workspace.iterdir()) == []
    assert "denied" in [data.get("decision") for _, data in events(client, denied["id"])]
    edited = {"path": "note.txt", "content": "mine"}
    decide(client, start(client, "writer", "Write Yes into b.txt."), decision="edit", arguments=edited)
    assert (workspace / "note.txt").read_text() == "mine"
    approved = decide(client, start(client, "writer", "Write Yes into b.txt."), decision="approve")
    [result] = [data for kind, data in events(client, approved["id"]) if kind == "tool_result"]
    assert result["name"] == "write_file"


def _until_the_model_is_asked(client: httpx2.Client, run_id: str) -> None:
    with client.stream("GET", f"{RUNS}/{run_id}/events") as response:
        for line in response.iter_lines():
            if line == "event: model_turn_started":
                return
