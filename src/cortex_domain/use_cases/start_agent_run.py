"""Use case: begin an agent run."""

import uuid

from cortex_domain.agent_run_events import AgentRunRecord, AgentRunStarted
from cortex_domain.agent_run_log import AgentRunLog
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import InvalidRequestError
from cortex_domain.ports import AgentRunStore, Clock

MAX_TASK_CHARACTERS = 1_000_000


class StartAgentRun:
    """Writes down that a run begins; `RunAgent` does the rest, here and now or after a restart."""

    def __init__(self, *, store: AgentRunStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, agent: AgentDefinition, task: str, /, *, owner: str = "") -> AgentRunState:
        """Begins a run with an id of its own.

        Args:
            agent: The definition, which the run keeps whatever becomes of it in a catalog.
            task: What it has to do, 1 to 1,000,000 characters.
            owner: On whose behalf; a name, not a credential.

        Raises:
            InvalidRequestError: There is no task, or it is too long.
            StorageError: The run cannot be written down.
        """
        _require_task(task)
        started = AgentRunStarted(run_id=f"run_{uuid.uuid4().hex}", owner=owner, agent=agent, task=task)
        log = await AgentRunLog.begin(started, store=self._store, clock=self._clock, tell=_tell_nobody)
        return log.state


def _require_task(task: str) -> None:
    if not 1 <= len(task) <= MAX_TASK_CHARACTERS:
        raise InvalidRequestError(f"A task has 1 to {MAX_TASK_CHARACTERS} characters.", parameter="task")
    try:
        task.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError("The task holds a lone surrogate. Send whole characters.", parameter="task") from None


def _tell_nobody(run_id: str, record: AgentRunRecord) -> None:
    """Nobody can follow a run that has no id yet."""
