"""Keeps the logs of agent runs in this process, as long as it lives."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from cortex_domain.agent_run_events import AgentRunRecord, AgentRunStatus, AgentRunSummary
from cortex_domain.errors import AgentRunBusyError, AgentRunConflictError, AgentRunNotFoundError
from cortex_domain.ports import AgentRunStore
from cortex_domain.ports.agent_run_store import DEFAULT_PAGE


@dataclass(slots=True)
class _Run:
    summary: AgentRunSummary
    records: list[AgentRunRecord] = field(default_factory=list)


class InMemoryAgentRunStore(AgentRunStore):
    """Keeps every run until it is deleted; suspends wherever a disk would make its callers wait."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._claimed: set[str] = set()

    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:  # noqa: D102
        await asyncio.sleep(0)
        first = records[0].sequence
        run = self._runs.get(summary.run_id)
        if run is None and first != 1:
            raise AgentRunNotFoundError(run_id=summary.run_id)
        if run is not None and first != run.records[-1].sequence + 1:
            raise AgentRunConflictError(run_id=summary.run_id)
        run = self._runs.setdefault(summary.run_id, _Run(summary))
        run.summary = summary
        run.records += records

    async def read(  # noqa: D102
        self, run_id: str, /, *, owner: str | None, after: int = 0, limit: int | None = None
    ) -> Sequence[AgentRunRecord]:
        await asyncio.sleep(0)
        records = self._find(run_id, owner).records
        return tuple(records[after : None if limit is None else after + limit])

    async def get_summary(self, run_id: str, /, *, owner: str | None) -> AgentRunSummary:  # noqa: D102
        await asyncio.sleep(0)
        return self._find(run_id, owner).summary

    async def list_runs(  # noqa: D102
        self,
        *,
        owner: str | None,
        statuses: Collection[AgentRunStatus] | None = None,
        before: str | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Sequence[AgentRunSummary]:
        await asyncio.sleep(0)
        newest_first = [run.summary for run in reversed(self._runs.values()) if owner in (None, run.summary.owner)]
        if before is not None:
            self._find(before, owner)
            ids = [summary.run_id for summary in newest_first]
            newest_first = newest_first[ids.index(before) + 1 :]
        wanted = [summary for summary in newest_first if statuses is None or summary.status in statuses]
        return tuple(wanted[:limit])

    def claim(self, run_id: str, /) -> AbstractAsyncContextManager[None]:  # noqa: D102
        return self._claiming(run_id)

    async def delete(self, run_id: str, /, *, owner: str | None) -> None:  # noqa: D102
        await asyncio.sleep(0)
        self._find(run_id, owner)
        if run_id in self._claimed:
            raise AgentRunBusyError(run_id=run_id)
        del self._runs[run_id]

    @asynccontextmanager
    async def _claiming(self, run_id: str) -> AsyncIterator[None]:
        self._find(run_id, None)
        if run_id in self._claimed:
            raise AgentRunBusyError(run_id=run_id)
        self._claimed.add(run_id)
        try:
            yield
        finally:
            self._claimed.discard(run_id)

    def _find(self, run_id: str, owner: str | None) -> _Run:
        run = self._runs.get(run_id)
        if run is None or owner not in (None, run.summary.owner):
            raise AgentRunNotFoundError(run_id=run_id)
        return run
