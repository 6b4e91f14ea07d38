"""The log of one agent run, for whoever adds to it."""

from collections.abc import Callable, Sequence
from typing import Self

from cortex_domain.agent_run_events import AgentRunEvent, AgentRunRecord, AgentRunStarted
from cortex_domain.agent_run_fold import after, begin, fold
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.errors import AgentRunConflictError
from cortex_domain.ports import AgentRunStore, Clock

Tell = Callable[[str, AgentRunRecord], None]
"""Is told of each new record of a run, by the run's id, once it is in the store."""


class AgentRunOverError(Exception):
    """Somebody ended the run meanwhile: there is nothing more to add. Not for callers of use cases."""


class AgentRunLog:
    """Adds events to a run, in the store first, then to the state, then to whoever listens.

    Others may add to the same log: decisions of people, or the end. What they added is taken in before the next event.

    Attributes:
        state: The run as far as it is known here.
    """

    def __init__(self, *, store: AgentRunStore, clock: Clock, state: AgentRunState, tell: Tell) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self.state = state

    @classmethod
    async def open(
        cls, run_id: str, /, *, store: AgentRunStore, clock: Clock, tell: Tell, owner: str | None = None
    ) -> Self:
        """Reads a run.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            StorageError: It cannot be read.
        """
        state = fold(await store.read(run_id, owner=owner))
        return cls(store=store, clock=clock, state=state, tell=tell)

    @classmethod
    async def begin(cls, started: AgentRunStarted, /, *, store: AgentRunStore, clock: Clock, tell: Tell) -> Self:
        """Writes the first event of a run.

        Raises:
            AgentRunConflictError: There is such a run already.
            StorageError: It cannot be written.
        """
        record = AgentRunRecord(sequence=1, at_s=clock.now_s(), event=started)
        log = cls(store=store, clock=clock, state=begin(record), tell=tell)
        await store.append(log.state.summary, [record])
        tell(started.run_id, record)
        return log

    async def append(self, *events: AgentRunEvent) -> None:
        """Adds events, all or none, after whatever others have added meanwhile.

        Raises:
            AgentRunOverError: Others have ended the run.
            StorageError: They cannot be written.
        """
        while True:
            try:
                await self.append_now(*events)
            except AgentRunConflictError:
                await self.refresh()
                if self.state.finished is not None:
                    raise AgentRunOverError from None
            else:
                return

    async def append_now(self, *events: AgentRunEvent) -> None:
        """Adds events, all or none, unless others have added some.

        Raises:
            AgentRunConflictError: They have.
            StorageError: They cannot be written.
        """
        state, records = self.state, self._numbered(events)
        for record in records:
            state = after(state, record)
        await self._store.append(state.summary, records)
        self._take(state, records)

    async def refresh(self) -> None:
        """Takes in what others have added."""
        run_id = self.state.started.run_id
        records = await self._store.read(run_id, owner=None, after=self.state.last_sequence)
        state = self.state
        for record in records:
            state = after(state, record)
        self._take(state, records)

    def _numbered(self, events: Sequence[AgentRunEvent]) -> list[AgentRunRecord]:
        now_s, first = self._clock.now_s(), self.state.last_sequence + 1
        return [AgentRunRecord(sequence=number, at_s=now_s, event=event) for number, event in enumerate(events, first)]

    def _take(self, state: AgentRunState, records: Sequence[AgentRunRecord]) -> None:
        self.state = state
        for record in records:
            self._tell(state.started.run_id, record)
