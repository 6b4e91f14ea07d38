"""Both ways to open files, each on a workspace beside which there is a secret."""

import sys
from pathlib import Path

import pytest

from cortex_adapters.workspace_files import DirectoryWorkspace
from cortex_adapters.workspace_files.beneath import Opener, open_at_once, open_by_walk

OPENERS: list[Opener] = [open_by_walk, open_at_once] if sys.platform == "linux" else [open_by_walk]


@pytest.fixture(params=OPENERS, ids=lambda opener: opener.__name__)
def opener(request: pytest.FixtureRequest) -> Opener:
    chosen: Opener = request.param
    return chosen


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory beside the workspace, whose name begins like the workspace's."""
    directory = tmp_path / "ws-evil"
    directory.mkdir()
    (directory / "secret.txt").write_text("SECRET\n")
    return directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "ws"
    directory.mkdir()
    return directory


@pytest.fixture
def workspace(root: Path, opener: Opener) -> DirectoryWorkspace:
    return DirectoryWorkspace(root, opener=opener)
