"""Port: knows which agents there are."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from cortex_domain.agents import AgentDefinition


class AgentCatalog(Protocol):
    """Tells agents by their names.

    Contract:
        - Names differ from each other, and the list is sorted by them. What is listed is found, and nothing else.
        - A definition that is wrong loses itself and no other: it is not listed, and refused when it is asked for.
    """

    @abstractmethod
    async def list_agents(self) -> Sequence[AgentDefinition]:
        """Returns the agents that there are now.

        Raises:
            StorageError: They cannot be read.
        """

    @abstractmethod
    async def get_agent(self, name: str, /) -> AgentDefinition:
        """Finds an agent.

        Raises:
            AgentNotFoundError: There is none of this name.
            InvalidAgentError: Its definition is wrong.
            StorageError: It cannot be read.
        """
