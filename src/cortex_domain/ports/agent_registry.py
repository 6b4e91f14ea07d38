"""Port: agents that come and go while Cortex runs."""

from abc import abstractmethod
from typing import Protocol

from cortex_domain.agents import AgentDefinition
from cortex_domain.ports.agent_catalog import AgentCatalog


class AgentRegistry(AgentCatalog, Protocol):
    """A catalogue that agents can be put into.

    Contract:
        - What was put is found as it was, until it is deleted; putting under a name that is there replaces what was.
        - Of several who put the same name at once, one is the last.
    """

    @abstractmethod
    async def put_agent(self, agent: AgentDefinition, /) -> None:
        """Adds an agent, or replaces the one of its name.

        Raises:
            AgentReadOnlyError: An agent of this name is there that cannot be replaced.
            StorageError: It cannot be written.
        """

    @abstractmethod
    async def delete_agent(self, name: str, /) -> None:
        """Removes an agent.

        Raises:
            AgentNotFoundError: There is none of this name.
            AgentReadOnlyError: It cannot be removed.
            StorageError: It cannot be deleted.
        """
