"""The contract of `cortex_domain.ports.AgentRunStore`. It leaves nothing behind that it did not find."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cortex_contracts.agent_run_examples import EVERY_EVENT
from cortex_contracts.checks import checks
from cortex_domain.agent_run_events import AgentRunRecord, AgentRunResumed, AgentRunStatus, AgentRunSummary
from cortex_domain.errors import AgentRunBusyError, AgentRunConflictError, AgentRunNotFoundError
from cortex_domain.ports import AgentRunStore

ValueT = TypeVar("ValueT")
_RUNNING, _WAITING, _DONE = AgentRunStatus.RUNNING, AgentRunStatus.WAITING_FOR_APPROVAL, AgentRunStatus.COMPLETED


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunStoreHarness:
    """What the contract needs.

    Attributes:
        store: The adapter under test; has room for a dozen small runs besides those that are in it.
        histories: How many sequences of calls are tried out.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    store: AgentRunStore
    histories: int = 30
    patience_s: float = 60.0


@pytest.mark.asyncio
class AgentRunStoreContract:
    """Subclass this and define a fixture `harness` that returns an `AgentRunStoreHarness`."""

    @checks("agent_run_store.keeps_what_was_appended")
    async def test_keeps_what_was_appended(self, harness: AgentRunStoreHarness) -> None:
        """Appends an event of each kind, and compares all of them and the summary."""
        summary = replace(_summary(), task="Dig \x00 \u00e4 deep.", status=_WAITING, last_sequence=len(EVERY_EVENT))
        records = [
            AgentRunRecord(sequence=number, at_s=1.5 * number, event=event)
            for number, event in enumerate(EVERY_EVENT, start=1)
        ]
        await harness.store.append(summary, records[:1])
        await harness.store.append(summary, records[1:])
        assert list(await harness.store.read(summary.run_id, owner=summary.owner)) == records
        assert await harness.store.get_summary(summary.run_id, owner=summary.owner) == summary
        await _forget(harness, summary)

    @checks("agent_run_store.latest_summary")
    async def test_latest_summary(self, harness: AgentRunStoreHarness) -> None:
        """Appends again with another summary."""
        summary = await _begun(harness)
        later = replace(summary, status=_DONE, updated_s=9.5, last_sequence=2)
        await harness.store.append(later, _records(2, 1))
        assert await harness.store.get_summary(summary.run_id, owner=summary.owner) == later
        await _forget(harness, summary)

    @checks("agent_run_store.reads_from_a_point")
    async def test_reads_from_a_point(self, harness: AgentRunStoreHarness) -> None:
        """Reads parts of a log, and after its end."""
        summary = await _begun(harness, length=5)
        for after, limit, expected in ((3, None, [4, 5]), (1, 2, [2, 3]), (5, None, []), (9, 1, [])):
            records = await harness.store.read(summary.run_id, owner=summary.owner, after=after, limit=limit)
            assert [record.sequence for record in records] == expected
        await _forget(harness, summary)

    @checks("agent_run_store.gaps_and_forks_refused")
    async def test_gaps_and_forks_refused(self, harness: AgentRunStoreHarness) -> None:
        """Appends what was there, what is too far, and a second beginning."""
        summary = await _begun(harness, length=3)
        for first in (1, 3, 5):
            with pytest.raises(AgentRunConflictError) as caught:
                await harness.store.append(summary, _records(first, 1))
            assert caught.value.run_id == summary.run_id
        await _forget(harness, summary)

    @checks("agent_run_store.refused_leaves_nothing")
    async def test_refused_leaves_nothing(self, harness: AgentRunStoreHarness) -> None:
        """Has several records refused, and looks for any of them and for their summary."""
        summary = await _begun(harness, length=2)
        with pytest.raises(AgentRunConflictError):
            await harness.store.append(replace(summary, status=_DONE), _records(2, 3))
        assert await _sequences(harness.store, summary) == [1, 2]
        found = await harness.store.get_summary(summary.run_id, owner=summary.owner)
        assert found.status is _RUNNING
        await _forget(harness, summary)

    @checks("agent_run_store.one_of_several_succeeds")
    async def test_one_of_several_succeeds(self, harness: AgentRunStoreHarness) -> None:
        """Appends the same number from several tasks at once."""
        summary = await _begun(harness)
        attempts = [harness.store.append(summary, _records(2, 1)) for _ in range(8)]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes) == 1
        assert all(outcome is None or isinstance(outcome, AgentRunConflictError) for outcome in outcomes)
        await _forget(harness, summary)

    @checks("agent_run_store.unknown_refused")
    async def test_unknown_refused(self, harness: AgentRunStoreHarness) -> None:
        """Asks for a run that nobody began, and goes on with it."""
        unknown = _summary()
        for ask in _asks(harness.store, unknown.run_id, unknown.owner):
            with pytest.raises(AgentRunNotFoundError) as caught:
                await ask()
            assert caught.value.run_id == unknown.run_id
        with pytest.raises(AgentRunNotFoundError):
            await harness.store.append(unknown, _records(2, 1))
        with pytest.raises(AgentRunNotFoundError):
            await harness.store.claim(unknown.run_id).__aenter__()

    @checks("agent_run_store.owners_are_apart")
    async def test_owners_are_apart(self, harness: AgentRunStoreHarness) -> None:
        """Asks for one owner's run in the names of others, the empty one among them."""
        mine = await _begun(harness)
        for other in ("", "theirs"):
            for ask in _asks(harness.store, mine.run_id, other):
                with pytest.raises(AgentRunNotFoundError):
                    await ask()
            assert mine not in await harness.store.list_runs(owner=other)
        await _forget(harness, mine)

    @checks("agent_run_store.no_owner_finds_any")
    async def test_no_owner_finds_any(self, harness: AgentRunStoreHarness) -> None:
        """Asks for an owner's run by its id alone, and in the list of all."""
        mine = await _begun(harness)
        assert [record.sequence for record in await harness.store.read(mine.run_id, owner=None)] == [1]
        assert await harness.store.get_summary(mine.run_id, owner=None) == mine
        assert mine in await harness.store.list_runs(owner=None)
        await harness.store.delete(mine.run_id, owner=None)

    @checks("agent_run_store.lists_newest_first")
    async def test_lists_newest_first(self, harness: AgentRunStoreHarness) -> None:
        """Lists pages of an owner's runs."""
        owner = uuid.uuid4().hex
        runs = [await _begun(harness, owner=owner) for _ in range(5)]
        ids = [run.run_id for run in reversed(runs)]
        assert [run.run_id for run in await harness.store.list_runs(owner=owner)] == ids
        page = await harness.store.list_runs(owner=owner, limit=2)
        assert [run.run_id for run in page] == ids[:2]
        rest = await harness.store.list_runs(owner=owner, before=ids[1])
        assert [run.run_id for run in rest] == ids[2:]
        await _forget(harness, *runs)

    @checks("agent_run_store.lists_by_status")
    async def test_lists_by_status(self, harness: AgentRunStoreHarness) -> None:
        """Lists the runs that are in some ways."""
        owner = uuid.uuid4().hex
        runs = [await _begun(harness, owner=owner, status=status) for status in (_RUNNING, _WAITING, _DONE)]
        for statuses in ([_WAITING], [_RUNNING, _DONE], [], None):
            listed = await harness.store.list_runs(owner=owner, statuses=statuses)
            assert {run.status for run in listed} == set([_RUNNING, _WAITING, _DONE] if statuses is None else statuses)
        await _forget(harness, *runs)

    @checks("agent_run_store.one_claim_at_a_time")
    async def test_one_claim_at_a_time(self, harness: AgentRunStoreHarness) -> None:
        """Claims a run twice, then again after leaving it in a bad way; another run is free all the time."""
        summary, other = await _begun(harness), await _begun(harness)
        with pytest.raises(KeyError):
            await _claim_twice_and_fail(harness.store, summary.run_id, other.run_id)
        async with harness.store.claim(summary.run_id):
            await harness.store.append(summary, _records(2, 1))
        await _forget(harness, summary, other)

    @checks("agent_run_store.claimed_is_not_deleted")
    async def test_claimed_is_not_deleted(self, harness: AgentRunStoreHarness) -> None:
        """Deletes a run that somebody works on."""
        summary = await _begun(harness)
        async with harness.store.claim(summary.run_id):
            with pytest.raises(AgentRunBusyError):
                await harness.store.delete(summary.run_id, owner=summary.owner)
        assert await _sequences(harness.store, summary) == [1]
        await _forget(harness, summary)

    @checks("agent_run_store.deleted_is_gone")
    async def test_deleted_is_gone(self, harness: AgentRunStoreHarness) -> None:
        """Deletes a run, asks for it, and begins it anew."""
        summary = await _begun(harness, length=3)
        await harness.store.delete(summary.run_id, owner=summary.owner)
        with pytest.raises(AgentRunNotFoundError):
            await harness.store.read(summary.run_id, owner=None)
        assert summary not in await harness.store.list_runs(owner=None)
        await harness.store.append(summary, _records(1, 1))
        assert await _sequences(harness.store, summary) == [1]
        await _forget(harness, summary)

    @checks("agent_run_store.state_follows_history")
    async def test_state_follows_history(self, harness: AgentRunStoreHarness) -> None:
        """Begins, goes on with and deletes runs in many orders, and compares with lists after each step."""
        loop = asyncio.get_running_loop()

        def wait_for(coroutine: Coroutine[Any, Any, ValueT]) -> ValueT:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

        await asyncio.to_thread(
            run_state_machine_as_test,
            lambda: _History(harness.store, wait_for),  # type: ignore[arg-type]  # takes functions too
            settings=settings(
                max_examples=harness.histories,
                stateful_step_count=12,
                deadline=None,
                database=None,
                derandomize=True,
            ),
        )


class _History(RuleBasedStateMachine):
    """Runs in a thread of its own, because hypothesis is synchronous, and asks the store on its event loop."""

    def __init__(self, store: AgentRunStore, wait_for: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        super().__init__()
        self._store = store
        self._wait_for = wait_for
        self._places = [_summary() for _ in range(3)]
        self._kept: dict[str, list[AgentRunRecord]] = {}

    @rule(place=st.integers(min_value=0, max_value=2), count=st.integers(min_value=1, max_value=3))
    def append(self, place: int, count: int) -> None:
        summary = self._places[place]
        kept = self._kept.setdefault(summary.run_id, [])
        records = _records(len(kept) + 1, count)
        self._wait_for(self._store.append(summary, records))
        kept += records

    @rule(place=st.integers(min_value=0, max_value=2))
    def delete(self, place: int) -> None:
        summary = self._places[place]
        if self._kept.pop(summary.run_id, None) is not None:
            self._wait_for(self._store.delete(summary.run_id, owner=summary.owner))

    @invariant()
    def agrees(self) -> None:
        for summary in self._places:
            assert self._wait_for(_find(self._store, summary)) == self._kept.get(summary.run_id)

    def teardown(self) -> None:
        for summary in self._places:
            if summary.run_id in self._kept:
                self._wait_for(self._store.delete(summary.run_id, owner=summary.owner))


def _summary(*, owner: str = "somebody", status: AgentRunStatus = _RUNNING) -> AgentRunSummary:
    """Builds the summary of a run of an id that no store knows."""
    return AgentRunSummary(
        run_id=f"run_{uuid.uuid4().hex}",
        owner=owner,
        agent="mole",
        task="Dig.",
        status=status,
        parent_run_id=None,
        created_s=1.5,
        updated_s=2.5,
        last_sequence=1,
    )


def _records(first: int, count: int) -> list[AgentRunRecord]:
    """Builds small records; a store does not judge what happens, only in which order."""
    return [
        AgentRunRecord(sequence=first + place, at_s=1.5, event=EVERY_EVENT[0] if first == 1 else AgentRunResumed())
        for place in range(count)
    ]


async def _begun(
    harness: AgentRunStoreHarness, *, length: int = 1, owner: str = "somebody", status: AgentRunStatus = _RUNNING
) -> AgentRunSummary:
    summary = replace(_summary(owner=owner, status=status), last_sequence=length)
    await harness.store.append(summary, _records(1, length))
    return summary


def _asks(store: AgentRunStore, run_id: str, owner: str) -> Sequence[Callable[[], Coroutine[Any, Any, object]]]:
    async def list_after() -> object:
        return await store.list_runs(owner=owner, before=run_id)

    async def read() -> object:
        return await store.read(run_id, owner=owner)

    async def get_summary() -> object:
        return await store.get_summary(run_id, owner=owner)

    async def delete() -> None:
        await store.delete(run_id, owner=owner)

    return (list_after, read, get_summary, delete)


async def _claim_twice_and_fail(store: AgentRunStore, run_id: str, other_id: str) -> None:
    async with store.claim(run_id):
        with pytest.raises(AgentRunBusyError):
            await store.claim(run_id).__aenter__()
        async with store.claim(other_id):
            raise KeyError


async def _sequences(store: AgentRunStore, summary: AgentRunSummary) -> list[int]:
    return [record.sequence for record in await store.read(summary.run_id, owner=summary.owner)]


async def _find(store: AgentRunStore, summary: AgentRunSummary) -> list[AgentRunRecord] | None:
    try:
        return list(await store.read(summary.run_id, owner=summary.owner))
    except AgentRunNotFoundError:
        return None


async def _forget(harness: AgentRunStoreHarness, *summaries: AgentRunSummary) -> None:
    for summary in summaries:
        await harness.store.delete(summary.run_id, owner=summary.owner)
