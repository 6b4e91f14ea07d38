"""Use case: end an agent run before its time."""

from cortex_domain.agent_run_events import AgentRunFinished, AgentRunStatus
from cortex_domain.agent_run_log import AgentRunLog, Tell
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.errors import AgentRunConflictError, AgentRunNotFoundError
from cortex_domain.ports import AgentRunStore, Clock


class CancelAgentRun:
    """Writes the end down. Whoever works on the run learns of it before the next event, and stops."""

    def __init__(self, *, store: AgentRunStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, run_id: str, /, *, owner: str | None, tell: Tell) -> AgentRunState:
        """Ends a run, and the runs of the agents that it asked; one that is over stays as it is.

        Args:
            run_id: The run.
            owner: Whose it has to be; None takes any.
            tell: Is told of the new records.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            StorageError: It cannot be written down.
        """
        state = await self._end(run_id, owner, tell)
        for call in state.open_calls:
            if call.sub_run_id is not None:
                await self._end_sub_run(call.sub_run_id, tell)
        return state

    async def _end(self, run_id: str, owner: str | None, tell: Tell) -> AgentRunState:
        while True:
            log = await AgentRunLog.open(run_id, store=self._store, clock=self._clock, tell=tell, owner=owner)
            if log.state.finished is not None:
                return log.state
            try:
                await log.append_now(_cancelled(log.state))
            except AgentRunConflictError:
                continue
            return log.state

    async def _end_sub_run(self, run_id: str, tell: Tell) -> None:
        try:
            await self(run_id, owner=None, tell=tell)
        except AgentRunNotFoundError:
            return  # it was deleted, or had not begun yet and never will


def _cancelled(state: AgentRunState) -> AgentRunFinished:
    return AgentRunFinished(status=AgentRunStatus.CANCELLED, reason="cancelled", usage=state.usage)
