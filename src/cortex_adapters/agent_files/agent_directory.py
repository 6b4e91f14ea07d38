"""The definitions in one directory, of one kind of file."""

import logging
from collections.abc import Iterator
from pathlib import Path

from cortex_adapters.agent_files.agent_file import ParseAgent, is_agent_name, names_in, read_agent_file
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError, InvalidAgentError

logger = logging.getLogger(__name__)


class AgentDirectory:
    """Reads files when they are asked for, so that changes count at once.

    Args:
        directory: Where the files are; it need not exist.
        suffix: What their names end with, with its dot.
        parse: Makes a definition of a file's fields.
    """

    def __init__(self, directory: Path, *, suffix: str, parse: ParseAgent) -> None:
        self._directory = directory
        self._suffix = suffix
        self._parse = parse
        self._told: frozenset[str] = frozenset()

    def path_of(self, name: str, /) -> Path:
        """Tells where an agent's file is, or would be."""
        return self._directory / f"{name}{self._suffix}"

    def read(self, name: str, /) -> AgentDefinition:
        """Reads one file.

        Raises:
            AgentNotFoundError: There is none for this name.
            InvalidAgentError: It is no definition of this agent.
            StorageError: It cannot be read.
        """
        agent = read_agent_file(self.path_of(name), self._parse) if is_agent_name(name) else None
        if agent is None:
            raise AgentNotFoundError(name=name)
        return agent

    def read_all(self) -> list[AgentDefinition]:
        """Reads the files that are right, sorted by name; the others are logged, each mistake once.

        Raises:
            StorageError: One cannot be read.
        """
        mistakes: set[str] = set()
        agents = list(self._readable(mistakes))
        for mistake in sorted(mistakes - self._told):
            logger.warning("%s", mistake)
        self._told = frozenset(mistakes)
        return agents

    def _readable(self, mistakes: set[str]) -> Iterator[AgentDefinition]:
        for name in names_in(self._directory, self._suffix):
            try:
                agent = read_agent_file(self.path_of(name), self._parse)
            except InvalidAgentError as error:
                mistakes.add(error.message)
                continue
            if agent is not None:  # removed meanwhile
                yield agent
