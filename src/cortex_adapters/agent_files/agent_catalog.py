"""Agents that people write into files."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cortex_adapters.agent_files.agent_directory import AgentDirectory
from cortex_adapters.agent_files.agent_file import ParseAgent
from cortex_domain.agents import AgentDefinition
from cortex_domain.ports import AgentCatalog


class TomlAgentCatalog(AgentCatalog):
    """One agent a file, `<name>.toml`. A file that is wrong loses its own agent and no other.

    Args:
        directory: Where the files are; it need not exist.
        parse: Makes a definition of a file's fields.
    """

    def __init__(self, directory: Path, *, parse: ParseAgent) -> None:
        self._files = AgentDirectory(directory, suffix=".toml", parse=parse)

    async def list_agents(self) -> Sequence[AgentDefinition]:
        """Reads all files; those that are wrong are left out, and logged."""
        return await asyncio.to_thread(self._files.read_all)

    async def get_agent(self, name: str, /) -> AgentDefinition:
        """Reads one file."""
        return await asyncio.to_thread(self._files.read, name)
