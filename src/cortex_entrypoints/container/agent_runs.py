"""Where agent runs are kept."""

from typing import Final

from cortex_adapters.sqlite import SqliteAgentRunStore
from cortex_entrypoints.settings import Settings

_FILE: Final = "agent_runs.sqlite"


def build_agent_run_store(settings: Settings) -> SqliteAgentRunStore:
    """Builds the store; its file is opened when a run is first asked for."""
    return SqliteAgentRunStore(settings.data_dir / _FILE)
