"""Agent run stores that are wrong in one way each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

from cortex_contracts.agent_run_store import AgentRunStoreHarness
from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_domain.agent_run_events import AgentRunRecord, AgentRunStatus, AgentRunSummary, AgentTextDelta
from cortex_domain.errors import AgentRunBusyError, AgentRunConflictError, AgentRunNotFoundError
from cortex_domain.ports import AgentRunStore
from cortex_domain.ports.agent_run_store import DEFAULT_PAGE


class _Passing(AgentRunStore):
    """Wrong in no way yet."""

    def __init__(self, inner: AgentRunStore) -> None:
        self._inner = inner

    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:
        await self._inner.append(summary, records)

    async def read(
        self, run_id: str, /, *, owner: str | None, after: int = 0, limit: int | None = None
    ) -> Sequence[AgentRunRecord]:
        return await self._inner.read(run_id, owner=owner, after=after, limit=limit)

    async def get_summary(self, run_id: str, /, *, owner: str | None) -> AgentRunSummary:
        return await self._inner.get_summary(run_id, owner=owner)

    async def list_runs(
        self,
        *,
        owner: str | None,
        statuses: Collection[AgentRunStatus] | None = None,
        before: str | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Sequence[AgentRunSummary]:
        return await self._inner.list_runs(owner=owner, statuses=statuses, before=before, limit=limit)

    def claim(self, run_id: str, /) -> AbstractAsyncContextManager[None]:
        return self._inner.claim(run_id)

    async def delete(self, run_id: str, /, *, owner: str | None) -> None:
        await self._inner.delete(run_id, owner=owner)


class _LosesEmoji(_Passing):
    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:
        """Keeps what fits three bytes of UTF-8, as an old table does."""
        await super().append(summary, [_without_emoji(record) for record in records])


class _KeepsTheFirstSummary(_Passing):
    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:
        if records[0].sequence > 1 and len(records) == 1:
            summary = await super().get_summary(summary.run_id, owner=None)
        await super().append(summary, records)


class _CountsFromOne(_Passing):
    async def read(
        self, run_id: str, /, *, owner: str | None, after: int = 0, limit: int | None = None
    ) -> Sequence[AgentRunRecord]:
        return await super().read(run_id, owner=owner, after=max(0, after - 1), limit=limit)


class _AllowsGaps(_Passing):
    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:
        """Takes records from the future for the next ones."""
        found = await _length(self._inner, summary)
        if found and records[0].sequence > found + 1:
            return
        await super().append(summary, records)


class _WritesTheSummaryFirst(_Passing):
    def __init__(self, inner: AgentRunStore) -> None:
        super().__init__(inner)
        self._written: dict[str, AgentRunSummary] = {}

    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:
        self._written[summary.run_id] = summary
        await super().append(summary, records)

    async def get_summary(self, run_id: str, /, *, owner: str | None) -> AgentRunSummary:
        found = await super().get_summary(run_id, owner=owner)
        return self._written.get(run_id, found)


class _LooksThenLeaps(_Passing):
    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:
        """Looks where the log ends, and has what comes at the same time vanish."""
        found = await _length(self._inner, summary)
        try:
            await super().append(summary, records)
        except AgentRunConflictError:
            if records[0].sequence != found + 1:
                raise


class _NamesNoId(_Passing):
    async def read(
        self, run_id: str, /, *, owner: str | None, after: int = 0, limit: int | None = None
    ) -> Sequence[AgentRunRecord]:
        try:
            return await super().read(run_id, owner=owner, after=after, limit=limit)
        except AgentRunNotFoundError:
            raise AgentRunNotFoundError(run_id="?") from None


class _IgnoresTheOwner(_Passing):
    async def get_summary(self, run_id: str, /, *, owner: str | None) -> AgentRunSummary:  # noqa: ARG002
        return await super().get_summary(run_id, owner=None)


class _WantsAnOwner(_Passing):
    async def get_summary(self, run_id: str, /, *, owner: str | None) -> AgentRunSummary:
        return await super().get_summary(run_id, owner=owner or "")


class _ListsOldestFirst(_Passing):
    async def list_runs(
        self,
        *,
        owner: str | None,
        statuses: Collection[AgentRunStatus] | None = None,
        before: str | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Sequence[AgentRunSummary]:
        return (await super().list_runs(owner=owner, statuses=statuses, before=before, limit=limit))[::-1]


class _IgnoresTheStatus(_Passing):
    async def list_runs(
        self,
        *,
        owner: str | None,
        statuses: Collection[AgentRunStatus] | None = None,
        before: str | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Sequence[AgentRunSummary]:
        return await super().list_runs(owner=owner, statuses=statuses or None, before=before, limit=limit)


class _SharesClaims(_Passing):
    def claim(self, run_id: str, /) -> AbstractAsyncContextManager[None]:
        """Takes a run that is claimed for one that waits."""
        return self._claiming(run_id)

    @asynccontextmanager
    async def _claiming(self, run_id: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            with suppress(AgentRunBusyError):
                await stack.enter_async_context(super().claim(run_id))
            yield


class _DeletesWhatIsClaimed(_Passing):
    def __init__(self, inner: AgentRunStore) -> None:
        super().__init__(inner)
        self._deleted: set[str] = set()

    async def delete(self, run_id: str, /, *, owner: str | None) -> None:
        """Deletes later what it cannot delete now."""
        try:
            await super().delete(run_id, owner=owner)
        except AgentRunBusyError:
            self._deleted.add(run_id)


class _LeavesItInTheList(_Passing):
    def __init__(self, inner: AgentRunStore) -> None:
        super().__init__(inner)
        self._deleted: list[AgentRunSummary] = []

    async def delete(self, run_id: str, /, *, owner: str | None) -> None:
        summary = await super().get_summary(run_id, owner=owner)
        await super().delete(run_id, owner=owner)
        self._deleted.append(summary)

    async def list_runs(
        self,
        *,
        owner: str | None,
        statuses: Collection[AgentRunStatus] | None = None,
        before: str | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Sequence[AgentRunSummary]:
        listed = await super().list_runs(owner=owner, statuses=statuses, before=before, limit=limit)
        return [*listed, *(() if owner is not None else self._deleted)]


class _ForgetsLongLogs(_Passing):
    async def read(
        self, run_id: str, /, *, owner: str | None, after: int = 0, limit: int | None = None
    ) -> Sequence[AgentRunRecord]:
        """Returns the beginning of a log that was written in several goes."""
        records = await super().read(run_id, owner=owner, after=after, limit=limit)
        return records[:5] if len({record.event for record in records}) == _KINDS_OF_SMALL_LOGS else records


_KINDS_OF_SMALL_LOGS = 2


def _without_emoji(record: AgentRunRecord) -> AgentRunRecord:
    if not isinstance(record.event, AgentTextDelta):
        return record
    text = "".join(letter for letter in record.event.text if letter <= "\uffff")
    return replace(record, event=replace(record.event, text=text))


async def _length(store: AgentRunStore, summary: AgentRunSummary) -> int:
    await asyncio.sleep(0)
    try:
        return len(await store.read(summary.run_id, owner=None))
    except AgentRunNotFoundError:
        return 0


def _breakage(requirement_id: str, broken: Callable[[AgentRunStore], AgentRunStore]) -> Breakage[AgentRunStoreHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, store=broken(harness.store)))


BROKEN_AGENT_RUN_STORES = (
    _breakage("agent_run_store.keeps_what_was_appended", _LosesEmoji),
    _breakage("agent_run_store.latest_summary", _KeepsTheFirstSummary),
    _breakage("agent_run_store.reads_from_a_point", _CountsFromOne),
    _breakage("agent_run_store.gaps_and_forks_refused", _AllowsGaps),
    _breakage("agent_run_store.refused_leaves_nothing", _WritesTheSummaryFirst),
    _breakage("agent_run_store.one_of_several_succeeds", _LooksThenLeaps),
    _breakage("agent_run_store.unknown_refused", _NamesNoId),
    _breakage("agent_run_store.owners_are_apart", _IgnoresTheOwner),
    _breakage("agent_run_store.no_owner_finds_any", _WantsAnOwner),
    _breakage("agent_run_store.lists_newest_first", _ListsOldestFirst),
    _breakage("agent_run_store.lists_by_status", _IgnoresTheStatus),
    _breakage("agent_run_store.one_claim_at_a_time", _SharesClaims),
    _breakage("agent_run_store.claimed_is_not_deleted", _DeletesWhatIsClaimed),
    _breakage("agent_run_store.deleted_is_gone", _LeavesItInTheList),
    _breakage("agent_run_store.state_follows_history", _ForgetsLongLogs),
)
