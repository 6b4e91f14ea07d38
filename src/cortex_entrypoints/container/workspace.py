"""The directory that models work in, by the settings."""

from cortex_adapters.workspace_files import DirectoryWorkspace
from cortex_entrypoints.settings import Settings


def build_workspace(settings: Settings) -> DirectoryWorkspace:
    """Builds the workspace; its directory is created when it is first used."""
    return DirectoryWorkspace(settings.workspace_dir)
