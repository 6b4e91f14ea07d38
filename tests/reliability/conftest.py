"""Servers to be mistreated, and the figures that come of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.reliability.figures import FIGURES
from tests.reliability.watched_process import WatchedProcess, cortex_server, paced_server


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of models with one in it, which loads in milliseconds and talks nonsense: `tests/tiny`."""
    from tests.adapters.mlx.tiny_model import write_tiny_model  # imports MLX

    directory = tmp_path_factory.mktemp("models")
    (directory / "tests--tiny").mkdir()
    write_tiny_model(directory / "tests--tiny")
    return directory


@pytest.fixture
async def tiny_server(tiny_cache: Path) -> AsyncIterator[WatchedProcess]:
    """`cortex serve` with that model, computed in a worker process."""
    async with cortex_server(DEFAULT_MODEL="tests/tiny", MODEL_CACHE_DIR=str(tiny_cache)) as running:
        yield running


@pytest.fixture
async def server() -> AsyncIterator[WatchedProcess]:
    async with paced_server() as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for figure in FIGURES:
        terminalreporter.write_line(figure)
