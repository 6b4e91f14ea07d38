"""Adapters that keep what they are given in one SQLite file, which one process at a time works with."""

from cortex_adapters.sqlite.agent_run_store import SqliteAgentRunStore

__all__ = ["SqliteAgentRunStore"]
