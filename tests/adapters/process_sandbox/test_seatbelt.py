"""As much of Apple's sandbox as can be looked at elsewhere: the command, and that nono-py takes what it is told."""

import importlib
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from cortex_adapters.process_sandbox import ProcessCodeExecutor
from cortex_adapters.process_sandbox.python_environment import PythonEnvironment
from cortex_adapters.process_sandbox.seatbelt import Seatbelt
from cortex_domain.code_execution import CodeLimits
from cortex_domain.errors import CodeExecutorUnavailableError

PYTHON = PythonEnvironment(executable=Path(sys.executable), directories=(Path(sys.prefix),))


@pytest.fixture
def seatbelt(monkeypatch: pytest.MonkeyPatch) -> Seatbelt:
    """Made where nono-py need not be installed."""
    monkeypatch.setattr("cortex_adapters.process_sandbox.seatbelt.find_spec", lambda _: object())
    return Seatbelt()


def test_it_reads_the_system_and_its_python(seatbelt: Seatbelt) -> None:
    *launcher, told = seatbelt.command(PYTHON, workspace=None, limits=CodeLimits(), status_fd=3)
    assert launcher[:4] == [sys.executable, "-I", "-B", "-c"]
    readable = json.loads(told)["readable"]
    assert sys.prefix in readable
    assert not {"/", "/etc", "/private", "/private/var", "/tmp", "/Users", str(Path.home())}.intersection(readable)


def test_a_workspace_is_refused(seatbelt: Seatbelt, tmp_path: Path) -> None:
    with pytest.raises(CodeExecutorUnavailableError, match="no workspace on macOS"):
        seatbelt.command(PYTHON, workspace=tmp_path, limits=CodeLimits(), status_fd=3)


def test_the_model_is_told_that_nothing_is_written(seatbelt: Seatbelt) -> None:
    assert "No file can be written." in ProcessCodeExecutor(seatbelt).description


def test_without_nono_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_adapters.process_sandbox.seatbelt.find_spec", lambda _: None)
    with pytest.raises(CodeExecutorUnavailableError, match=r"pip install 'cortex-platform\[code\]'"):
        Seatbelt()


@pytest.mark.skipif(find_spec("nono_py") is None, reason="nono-py is for macOS and not installed here")
def test_nono_takes_the_rules(seatbelt: Seatbelt) -> None:
    nono = importlib.import_module("nono_py")
    told = json.loads(seatbelt.command(PYTHON, workspace=None, limits=CodeLimits(), status_fd=3)[-1])
    capabilities = nono.CapabilitySet()
    for rule in told["rules"]:
        capabilities.platform_rule(rule)
    capabilities.block_network()
    assert capabilities.is_network_blocked


@pytest.mark.skipif(sys.platform != "darwin", reason="it is for macOS")
async def test_code_gets_nowhere() -> None:
    await ProcessCodeExecutor(Seatbelt()).check()
