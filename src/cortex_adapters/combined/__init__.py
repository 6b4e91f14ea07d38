"""Adapters that are made of other adapters of the same port."""

from cortex_adapters.combined.agent_registry import CombinedAgentRegistry
from cortex_adapters.combined.model_store import CombinedModelStore
from cortex_adapters.combined.tool_provider import CombinedToolProvider

__all__ = ["CombinedAgentRegistry", "CombinedModelStore", "CombinedToolProvider"]
