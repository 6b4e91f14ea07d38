"""A workspace that is a directory of this machine."""

from cortex_adapters.workspace_files.workspace import DirectoryWorkspace

__all__ = ["DirectoryWorkspace"]
