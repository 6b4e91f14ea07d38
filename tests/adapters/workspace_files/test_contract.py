"""A directory keeps the contract of the workspace, whichever way its files are opened."""

import sys
from pathlib import Path

import pytest

from cortex_adapters.workspace_files import DirectoryWorkspace
from cortex_adapters.workspace_files.beneath import open_at_once, open_by_walk
from cortex_contracts.workspace import WorkspaceContract, WorkspaceHarness
from tests.contracts.harnesses import WORKSPACE_LIMITS


def _harness(workspace: DirectoryWorkspace) -> WorkspaceHarness:
    def place(path: str, content: bytes) -> None:
        file = workspace.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    return WorkspaceHarness(workspace=workspace, place=place)


class TestDirectoryWorkspaceByWalking(WorkspaceContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> WorkspaceHarness:
        return _harness(DirectoryWorkspace(tmp_path / "ws", limits=WORKSPACE_LIMITS, opener=open_by_walk))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has openat2")
class TestDirectoryWorkspaceByOpenat2(WorkspaceContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> WorkspaceHarness:
        return _harness(DirectoryWorkspace(tmp_path / "ws", limits=WORKSPACE_LIMITS, opener=open_at_once))
