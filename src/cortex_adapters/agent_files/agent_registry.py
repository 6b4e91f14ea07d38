"""Agents that programs put there, and that outlive the process."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cortex_adapters.agent_files.agent_directory import AgentDirectory
from cortex_adapters.agent_files.agent_file import ParseAgent, remove_agent_file, write_agent_file
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError
from cortex_domain.ports import AgentRegistry


class JsonAgentRegistry(AgentRegistry):
    """One agent a file, `<name>.json`.

    Args:
        directory: Where the files are; made when the first one is written.
        parse: Makes a definition of a file's fields.
        write: Makes the fields of a definition, which `parse` understands.
    """

    def __init__(
        self, directory: Path, *, parse: ParseAgent, write: Callable[[AgentDefinition], Mapping[str, Any]]
    ) -> None:
        self._files = AgentDirectory(directory, suffix=".json", parse=parse)
        self._write = write

    async def list_agents(self) -> Sequence[AgentDefinition]:
        """Reads all files; those that are wrong are left out, and logged."""
        return await asyncio.to_thread(self._files.read_all)

    async def get_agent(self, name: str, /) -> AgentDefinition:
        """Reads one file."""
        return await asyncio.to_thread(self._files.read, name)

    async def put_agent(self, agent: AgentDefinition, /) -> None:
        """Writes one file, whole or not at all."""
        await asyncio.to_thread(write_agent_file, self._files.path_of(agent.name), self._write(agent))

    async def delete_agent(self, name: str, /) -> None:
        """Removes one file, be it right or not."""
        if not await asyncio.to_thread(remove_agent_file, self._files.path_of(name)):
            raise AgentNotFoundError(name=name)
