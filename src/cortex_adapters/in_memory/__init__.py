"""Adapters that keep what they are given in this process's memory, and lose it with the process."""

from cortex_adapters.in_memory.agent_registry import InMemoryAgentRegistry
from cortex_adapters.in_memory.agent_run_store import InMemoryAgentRunStore
from cortex_adapters.in_memory.response_store import InMemoryResponseStore

__all__ = ["InMemoryAgentRegistry", "InMemoryAgentRunStore", "InMemoryResponseStore"]
