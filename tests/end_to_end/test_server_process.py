"""The server as a process: how it starts, what it says, how it stops."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from cortex_entrypoints import Settings
from tests.end_to_end.live_process import LiveProcess, live_process

LONG_TEXT = " ".join(f"word{number}" for number in range(1500))


def _text(events: Iterator[dict[str, object]]) -> str:
    return "".join(str(event["text"]) for event in events if event["type"] == "text_delta")


def _stream(server: LiveProcess, text: str, **parameters: float) -> Iterator[dict[str, object]]:
    body = {"messages": [{"role": "user", "content": text}], **parameters}
    with requests.post(f"{server.url}/api/chat/completions/stream", json=body, stream=True, timeout=60) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


def test_it_says_where_it_is_and_what_it_runs(echo_server: LiveProcess) -> None:
    said = "".join(echo_server.output)
    for word in (echo_server.url, "fake/echo", "cpu", "/docs"):
        assert word in said


def test_it_answers_without_mlx_being_imported(echo_server: LiveProcess) -> None:
    body = {"messages": [{"role": "user", "content": "Hello there"}]}
    answer = requests.post(f"{echo_server.url}/api/chat/completions", json=body, timeout=60).json()
    assert answer["message"]["content"] == "Hello there"
    maps = Path(f"/proc/{echo_server.process.pid}/maps").read_text()
    assert "libmlx" not in maps


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_asked_and_exits_with_0(echo_server: LiveProcess, stop: signal.Signals) -> None:
    echo_server.process.send_signal(stop)
    assert echo_server.process.wait(60) == 0


def test_streams_in_flight_end_properly_when_it_stops(echo_server: LiveProcess) -> None:
    events = _stream(echo_server, LONG_TEXT)
    assert next(events)["type"] == "started"
    exit_codes: list[int] = []
    stopper = threading.Thread(target=lambda: exit_codes.append(echo_server.stop()))
    stopper.start()
    last = list(events)[-1]
    stopper.join()
    assert last["type"] in {"done", "error"}
    assert exit_codes == [0]


def test_a_bad_setting_is_one_line_and_exit_code_2() -> None:
    with pytest.raises(AssertionError) as failure, live_process({"DEFAULT_MODEL": "fake/echo", "PORT": "many"}):
        pass
    [line] = str(failure.value).strip().splitlines()[:1]
    assert "PORT" in line
    assert "many" in line


@pytest.mark.real_model
def test_a_stream_goes_on_when_the_engines_process_is_killed(starter_server: LiveProcess) -> None:
    question = "Tell me about the sea."
    undisturbed = _text(_stream(starter_server, question, temperature=0, max_tokens=40))
    events = _stream(starter_server, question, temperature=0, max_tokens=40)
    seen = [next(event for event in events if event["type"] == "text_delta")]
    children = psutil.Process(starter_server.process.pid).children()
    [worker] = [child for child in children if "cortex_adapters.mlx.worker" in child.cmdline()]
    worker.kill()
    seen += events
    assert seen[-1]["type"] == "done"
    assert _text(iter(seen)) == undisturbed
    health = requests.get(f"{starter_server.url}/api/health", timeout=60).json()
    assert health["status"] == "ok"


@pytest.mark.real_model
def test_a_default_model_that_cannot_be_had_does_not_keep_it_from_starting(starter_settings: Settings) -> None:
    absent = "mlx-community/Llama-3.2-3B-Instruct-4bit"
    cache_dir = str(starter_settings.model_cache_dir)
    with live_process({"DEFAULT_MODEL": absent, "MODEL_CACHE_DIR": cache_dir}) as server:
        body = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0}
        refused = requests.post(f"{server.url}/api/chat/completions", json=body, timeout=60)
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "model_not_downloaded"
        answer = requests.post(f"{server.url}/api/chat/completions", json=body | {"model": "starter"}, timeout=300)
        assert answer.json()["message"]["content"] == "The capital of France is Paris."
        default_model = requests.get(f"{server.url}/api/health", timeout=60).json()["default_model"]
        assert default_model["id"] == absent
        assert default_model["state"] == "unavailable"
        assert default_model["reason"]
