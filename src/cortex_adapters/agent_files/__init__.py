"""Definitions of agents in files: TOML that people write, JSON that programs put there."""

from cortex_adapters.agent_files.agent_catalog import TomlAgentCatalog
from cortex_adapters.agent_files.agent_registry import JsonAgentRegistry

__all__ = ["JsonAgentRegistry", "TomlAgentCatalog"]
