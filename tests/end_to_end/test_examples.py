"""What a user pastes from the documentation works, word for word but for the port."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.live_process import LiveProcess

pytestmark = pytest.mark.real_model

ROOT = Path(__file__).parents[2]
ANSWER = "The capital of France is Paris."
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _examples() -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / "docs" / "examples.md").read_text())


def _run(server: LiveProcess, language: str, code: str) -> str:
    code = code.replace("localhost:8000", server.url.removeprefix("http://"))
    interpreter = {"bash": ["bash", "-c"], "python": [sys.executable, "-c"]}[language]
    run = subprocess.run([*interpreter, code], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def _example(language: str, *marks: str) -> str:
    [code] = [code for found, code in _examples() if found == language and all(mark in code for mark in marks)]
    return code


def test_every_example_is_covered_below() -> None:
    assert len(_examples()) == 9


def test_health_with_curl(starter_server: LiveProcess) -> None:
    health = json.loads(_run(starter_server, "bash", _example("bash", "/api/health")))
    assert health["status"] == "ok"
    assert health["device"] in {"cpu", "metal", "cuda"}
    assert health["default_model"]["state"] == "ready"


def test_models_with_curl(starter_server: LiveProcess) -> None:
    listing = json.loads(_run(starter_server, "bash", _example("bash", "/api/models\n")))
    assert listing["default_model"]
    by_alias = {alias: model for model in listing["models"] for alias in model["aliases"]}
    assert by_alias["starter"]["id"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert by_alias["starter"]["state"] in {"downloaded", "loaded"}
    assert {"mlx-community/Llama-3.2-3B-Instruct-4bit", "mlx-community/Qwen2.5-7B-Instruct-4bit"} <= {
        model["id"] for model in listing["models"]
    }


def test_loading_with_curl(starter_server: LiveProcess) -> None:
    model = json.loads(_run(starter_server, "bash", _example("bash", "/load")))
    assert (model["state"], model["residency"]["keep_alive_s"]) == ("loaded", 600)
    assert model["memory_bytes"] == pytest.approx(model["memory_estimate"]["weights_bytes"], rel=0.15)


def test_chat_with_curl(starter_server: LiveProcess) -> None:
    answer = json.loads(_run(starter_server, "bash", _example("bash", "/api/chat/completions ")))
    assert answer["message"] == {"role": "assistant", "content": ANSWER}
    assert answer["finish_reason"] == "stop"
    usage = answer["usage"]
    reused = usage.pop("cached_prompt_tokens")  # other tests ask the same server, whose template begins every prompt
    assert usage.pop("cache_miss")["token_position"] == reused < usage["prompt_tokens"]
    assert usage == {"prompt_tokens": 37, "completion_tokens": 8, "reasoning_tokens": 0, "total_tokens": 45}
    assert set(answer) == {"id", "created", "model", "message", "finish_reason", "usage", "timings", "warnings"}
    assert set(answer["timings"]) == {"queue_ms", "prefill_ms", "time_to_first_token_ms", "tokens_per_second"}


def test_stream_with_curl(starter_server: LiveProcess) -> None:
    frames = _run(starter_server, "bash", _example("bash", "/stream")).split("\n\n")
    assert frames.pop() == ""
    events = []
    for sequence, frame in enumerate(frames):
        name, number, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert number == f"id: {sequence}"
        events.append(event)
    assert events[0]["type"] == "started"
    assert events[-1]["type"] == "done"
    assert "".join(event["text"] for event in events if event["type"] == "text_delta") == ANSWER


@pytest.mark.parametrize("mark", ["whole", "in response.iter_lines():", "Last-Event-ID", "websockets"])
def test_chat_with_python(starter_server: LiveProcess, mark: str) -> None:
    marks = {"whole": "raise_for_status()\nanswer"}
    printed = _run(starter_server, "python", _example("python", marks.get(mark, mark)))
    assert printed.startswith(f"{ANSWER}\n")
