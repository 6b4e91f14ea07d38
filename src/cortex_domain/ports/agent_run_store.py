"""Port: keeps the logs of agent runs."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cortex_domain.agent_run_events import AgentRunRecord, AgentRunStatus, AgentRunSummary

DEFAULT_PAGE = 50
"""Runs that a list tells when nobody says how many."""


class AgentRunStore(Protocol):
    """Keeps each run as a log that only grows, and a summary of it.

    Contract:
        - What was appended stays, in its order and as it was, whatever happens to the program, as far as the store
          promises to outlive it.
        - An appending is whole or not at all: all its records and the summary, or none of them.
        - A log has no gap and no fork: records that do not follow the last one there are refused. Of several who
          append at once, one succeeds.
        - Who names an owner finds what belongs to that owner and nothing else; the empty owner is one like any other.
          None stands for whoever knows the id.
        - One at a time works on a run: a second claim is refused until the first is left, for whatever reason. Adding
          to a log needs no claim.
    """

    @abstractmethod
    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:
        """Adds to a log; record 1 begins a new one.

        Args:
            summary: The run as it is after these records; takes the place of the one before.
            records: At least one, numbered without a gap.

        Raises:
            AgentRunConflictError: The log goes on otherwise, or is there already.
            AgentRunNotFoundError: There is no such log, and the records do not begin one.
            StorageError: It cannot be written.
        """

    @abstractmethod
    async def read(
        self, run_id: str, /, *, owner: str | None, after: int = 0, limit: int | None = None
    ) -> Sequence[AgentRunRecord]:
        """Returns the records of a run that come after one, in order; none when there are none yet.

        Args:
            run_id: The run.
            owner: Whose it has to be; None takes any.
            after: Number of the last record that is not wanted; 0 wants all.
            limit: Most records to return, at least 1; None returns all.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            StorageError: It cannot be read.
        """

    @abstractmethod
    async def get_summary(self, run_id: str, /, *, owner: str | None) -> AgentRunSummary:
        """Returns what a list tells of a run.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            StorageError: It cannot be read.
        """

    @abstractmethod
    async def list_runs(
        self,
        *,
        owner: str | None,
        statuses: Collection[AgentRunStatus] | None = None,
        before: str | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Sequence[AgentRunSummary]:
        """Lists runs, the one that was begun last first.

        Args:
            owner: Whose; None lists all.
            statuses: How they are; None lists all.
            before: Id of the last run of the page before; None begins with the newest.
            limit: Most runs to return, at least 1.

        Raises:
            AgentRunNotFoundError: There is no run `before` of this owner.
            StorageError: They cannot be read.
        """

    @abstractmethod
    def claim(self, run_id: str, /) -> AbstractAsyncContextManager[None]:
        """Keeps others from working on a run as long as the block lasts.

        Raises:
            AgentRunNotFoundError: On entering; there is no such run.
            AgentRunBusyError: On entering; somebody works on it.
        """

    @abstractmethod
    async def delete(self, run_id: str, /, *, owner: str | None) -> None:
        """Forgets a run.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            AgentRunBusyError: Somebody works on it.
            StorageError: It cannot be deleted.
        """
