import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from cortex_entrypoints import Settings
from cortex_entrypoints.cli import serve
from cortex_entrypoints.container import build_container

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def serving(model: str, environment: dict[str, str], directory: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cortex_entrypoints.cli.main", "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
        env=environment | {"PORT": "0", "DEFAULT_MODEL": model},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    while text not in seen:
        line = process.stdout.readline()
        assert line, f"{text!r} did not come after {seen!r}"
        seen += line
    return seen


def announced_url(text: str) -> str:
    found = re.search(r"listens on (http://127\.0\.0\.1:\d+)\n", text)
    assert found is not None
    return found[1]


def health(url: str) -> dict[str, Any]:
    with urlopen(f"{url}/api/health", timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_says_where_it_is_and_leaves_when_told(
    cli_environment: dict[str, str], tmp_path: Path, number: int
) -> None:
    with serving("fake/parrot", cli_environment, tmp_path) as server:
        announced = read_until(server, "is ready")
        url = announced_url(announced)
        assert f"  model   fake/parrot\n  device  cpu\n  docs    {url}/docs\n" in announced
        assert health(url)["status"] == "ok"
        server.send_signal(number)
        assert server.wait(60) == 0
        assert server.stderr is not None
        assert server.stderr.read() == ""


def test_a_default_model_that_cannot_be_had_is_told_while_the_server_runs(
    cli_environment: dict[str, str], tmp_path: Path
) -> None:
    with serving("fake/nobody", cli_environment, tmp_path) as server:
        url = announced_url(read_until(server, "Ctrl-C"))
        assert server.stderr is not None
        assert "fake/nobody is not available: There is no model named" in server.stderr.readline()
        assert health(url)["default_model"]["state"] == "unavailable"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_requests_are_logged_as_asked(cli_environment: dict[str, str], tmp_path: Path, log_format: str) -> None:
    with serving("fake/echo", cli_environment | {"LOG_FORMAT": log_format}, tmp_path) as server:
        url = announced_url(read_until(server, "is ready"))
        with urlopen(Request(f"{url}/api/models", headers={"X-Request-Id": "call-7"}), timeout=30) as response:
            assert response.status == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        assert server.stderr is not None
        [line] = server.stderr.read().splitlines()
    if log_format == "json":
        logged = json.loads(line)
        assert (logged["route"], logged["status"], logged["request_id"]) == ("/api/models", 200, "call-7")
    else:
        assert "HTTP request ended method=GET route=/api/models status=200 duration_ms=" in line


def test_a_port_that_is_taken_is_one_line_and_exits_with_1(cortex_command: CortexCommand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = cortex_command("serve", PORT=port)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"cortex: Cannot listen on 127.0.0.1 port {port}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("missing", [True, False])
def test_a_slow_machine_is_told_what_would_make_it_fast(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: bool
) -> None:
    monkeypatch.setattr(serve, "lacks_openblas", lambda: missing)
    cortex = build_container(Settings(default_model="fake/echo")).cortex()
    serve._announce(cortex, "http://127.0.0.1:1")
    assert ("apt-get install libopenblas0-pthread" in capsys.readouterr().out) is missing
