"""What people install: the wheel, in an environment where nothing of this source tree can be seen."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "cortex_domain": ROOT / "src",
    "cortex_adapters": ROOT / "src",
    "cortex_entrypoints": ROOT / "src",
    "cortex_contracts": ROOT / "contracts",
}

EMBEDDED = """
import asyncio
from typing import assert_type

from cortex_domain import GenerationRequest, GenerationResult, collect, user_message
from cortex_entrypoints import Cortex, Settings, open_cortex


async def answer(cortex: Cortex, question: str) -> GenerationResult:
    request = GenerationRequest(model=cortex.default_model, messages=(user_message(question),))
    async with cortex.generate_text(request) as events:
        return await collect(events)


async def main() -> None:
    async with open_cortex(Settings(default_model="fake/echo")) as cortex:
        result = await answer(cortex, "Hello from a wheel")
    assert_type(result.text, str)
    print(result.text)


asyncio.run(main())
"""

WRONGLY_TYPED = """
from cortex_domain import GenerationRequest
from cortex_domain.ports import Clock
from cortex_adapters.fake import FakeClock
from cortex_contracts.clock import ClockContract
from cortex_entrypoints import open_cortex

GenerationRequest(model=1, messages=())
port: Clock = 1
clock: int = FakeClock()
contract: int = ClockContract()
open_cortex("fake/echo")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An environment that has the wheel, and an empty directory to work in."""

    python: Path
    directory: Path
    environment: dict[str, str]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
            env=self.environment,
            timeout=300,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=120)
    [built] = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Dependencies are borrowed from the environment that runs the tests, so that no network is needed."""
    home = tmp_path_factory.mktemp("environment")
    python = home / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True, timeout=120)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True, timeout=120)
    [site_packages] = home.glob("lib/python*/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    return Installation(python=python, directory=tmp_path_factory.mktemp("empty"), environment=environment)


def test_the_wheel_holds_the_four_packages_the_contracts_page_and_nothing_else(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        str(file.relative_to(source))
        for package, source in SOURCES.items()
        for file in (source / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert packed == expected | {"cortex_contracts/README.md"}
    assert {f"{package}/py.typed" for package in SOURCES} <= packed


def test_a_program_embeds_cortex(installation: Installation) -> None:
    (installation.directory / "embedded.py").write_text(EMBEDDED)
    ended = installation.run(installation.python, "embedded.py")
    assert (ended.stdout, ended.stderr) == ("Hello from a wheel\n", "")


def test_the_code_comes_from_the_wheel(installation: Installation) -> None:
    ended = installation.run(installation.python, "-c", "import cortex_entrypoints as c; print(c.__file__)")
    assert Path(ended.stdout).is_relative_to(installation.python.parents[1])


def test_the_program_is_typed(installation: Installation) -> None:
    (installation.directory / "typed.py").write_text(EMBEDDED)
    checked = mypy(installation, "typed.py")
    assert checked.stdout == "Success: no issues found in 1 source file\n"


def test_wrong_types_are_found(installation: Installation) -> None:
    (installation.directory / "wrong.py").write_text(WRONGLY_TYPED)
    lines = [line for line in mypy(installation, "wrong.py").stdout.splitlines() if "error:" in line]
    assert [line.split(":")[1] for line in lines] == ["8", "9", "10", "11", "12"]


def test_the_command_is_installed(installation: Installation) -> None:
    version = installation.run(installation.python.with_name("cortex"), "--version")
    assert version.stdout.startswith("cortex 0.")


def mypy(installation: Installation, file: str) -> subprocess.CompletedProcess[str]:
    options = [f"--python-executable={installation.python}", "--cache-dir=mypy_cache", "--config-file="]
    return installation.run(sys.executable, "-m", "mypy", "--strict", *options, file)
