"""Use case: tell how an agent run is."""

from cortex_domain.agent_run_fold import fold
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.ports import AgentRunStore


class GetAgentRun:
    """Adds up the log of a run."""

    def __init__(self, *, store: AgentRunStore) -> None:
        self._store = store

    async def __call__(self, run_id: str, /, *, owner: str | None) -> AgentRunState:
        """Returns the run as it is now.

        Args:
            run_id: The run.
            owner: Whose it has to be; None takes any.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            StorageError: It cannot be read.
        """
        return fold(await self._store.read(run_id, owner=owner))
