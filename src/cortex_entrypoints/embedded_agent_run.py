"""An agent run as a block of a program that embeds Cortex.

async with open_cortex(tools=[my_function]) as cortex, run_agent(cortex, definition, "Tidy up.") as run:
    async for event in run:
        if isinstance(event, ApprovalRequested):
            await run.approve(event.call_id)
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from cortex_domain.agent_run_events import AgentRunEvent, AgentRunRecord, ApprovalDecision, ApprovalGiven
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.agents import AgentDefinition
from cortex_entrypoints.agent_runs import AgentRuns
from cortex_entrypoints.cortex import Cortex


class FollowedAgentRun(AsyncIterator[AgentRunEvent]):
    """The events of a run, from the first to the last, and what its reader may do about it.

    Attributes:
        id: Names the run.
    """

    def __init__(self, *, runs: AgentRuns, run_id: str, owner: str, records: AsyncIterator[AgentRunRecord]) -> None:
        self.id = run_id
        self._runs = runs
        self._owner = owner
        self._records = records

    async def __anext__(self) -> AgentRunEvent:
        """Waits for the next event.

        Raises:
            StorageError: It cannot be read.
        """
        return (await anext(self._records)).event

    async def approve(self, call_id: str, /) -> None:
        """Lets a call be made; the errors are those of `AgentRuns.decide`."""
        await self._decide(ApprovalGiven(call_id=call_id, decision=ApprovalDecision.APPROVED, decided_by=self._owner))

    async def deny(self, call_id: str, /, *, reason: str = "") -> None:
        """Keeps a call from being made, and tells the model why."""
        decision = ApprovalDecision.DENIED
        await self._decide(ApprovalGiven(call_id=call_id, decision=decision, reason=reason, decided_by=self._owner))

    async def edit(self, call_id: str, arguments: Mapping[str, Any], /) -> None:
        """Lets a call be made with other arguments."""
        decision = ApprovalDecision.EDITED
        await self._decide(
            ApprovalGiven(call_id=call_id, decision=decision, arguments=arguments, decided_by=self._owner)
        )

    async def state(self) -> AgentRunState:
        """Tells how the run is."""
        return await self._runs.get(self.id, owner=self._owner)

    async def _decide(self, decision: ApprovalGiven) -> None:
        await self._runs.decide(self.id, decision, owner=self._owner)


def run_agent(
    cortex: Cortex, agent: AgentDefinition, task: str, /, *, owner: str = ""
) -> AbstractAsyncContextManager[FollowedAgentRun]:
    """Runs an agent for as long as the block lasts; leaving it early cancels the run.

    Args:
        cortex: Runs the models and has the tools, from `open_cortex`.
        agent: The definition; it need not be in any catalog.
        task: What it has to do.
        owner: On whose behalf.

    Raises:
        InvalidRequestError: On entering; there is no task, or it is too long.
        StorageError: On entering or iterating; the run cannot be written down.
    """
    return _running(cortex.agent_runs, agent, task, owner)


@asynccontextmanager
async def _running(runs: AgentRuns, agent: AgentDefinition, task: str, owner: str) -> AsyncIterator[FollowedAgentRun]:
    run_id = (await runs.begin(agent, task, owner=owner)).started.run_id
    try:
        async with runs.follow(run_id, owner=owner) as records:
            yield FollowedAgentRun(runs=runs, run_id=run_id, owner=owner, records=records)
    finally:
        await runs.cancel(run_id, owner=owner)
