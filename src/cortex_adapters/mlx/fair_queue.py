"""Who is served next when not all can be: first by priority, then in fair shares between owners, then by age.

An owner's share is what is being served for it already. Whoever has the smallest comes first, and of equals the one who
was served longest ago; so an owner with many jobs does not delay the first job of another one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from cortex_adapters.mlx.jobs import Job, JobId
from cortex_domain.generation import Priority

ItemT = TypeVar("ItemT")
Shares = Counter[tuple[Priority, str]]
"""How many jobs are being served, by priority and owner."""


def shares_of(jobs: Iterable[Job], /) -> Shares:
    """Counts for whom jobs are being served."""
    return Counter((job.priority, job.owner) for job in jobs)


class FairQueue(Generic[ItemT]):
    """Jobs that wait, each with an item that says what shall be done for it."""

    def __init__(self) -> None:
        self._jobs: dict[JobId, Job] = {}
        self._lines: dict[Priority, dict[str, dict[JobId, ItemT]]] = {priority: {} for priority in Priority}

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def items(self) -> list[ItemT]:
        """The items of all who wait, in no particular order."""
        return [item for lines in self._lines.values() for line in lines.values() for item in line.values()]

    def add(self, job: Job, item: ItemT, /) -> None:
        """Lets a job wait. Ids tell ages: one that comes back goes before the younger ones of its owner."""
        lines = self._lines[job.priority]
        line = lines.setdefault(job.owner, {})
        is_youngest = not line or next(reversed(line)) < job.id
        line[job.id] = item
        if not is_youngest:
            lines[job.owner] = dict(sorted(line.items()))
        self._jobs[job.id] = job

    def first(
        self,
        shares: Shares,
        /,
        *,
        order: Sequence[Priority] = tuple(Priority),
        may_go: Callable[[ItemT], bool] = lambda _: True,
    ) -> ItemT | None:
        """Finds who is next among those that may go; None when there is nobody. It waits on until it is taken.

        Args:
            shares: Who is being served.
            order: Priorities, the first ones first.
            may_go: Tells who may be served now.
        """
        for priority in order:
            lines = self._lines[priority]
            for owner in sorted(lines, key=lambda owner: shares[priority, owner]):
                for item in lines[owner].values():
                    if may_go(item):
                        return item
        return None

    def take(self, job_id: JobId, /) -> None:
        """Takes a job out in order to serve it; its owner goes behind others that are served as little."""
        job = self._jobs[job_id]
        self.drop(job_id)
        lines = self._lines[job.priority]
        if job.owner in lines:
            lines[job.owner] = lines.pop(job.owner)

    def drop(self, job_id: JobId, /) -> bool:
        """Takes a job out and returns whether it was here."""
        job = self._jobs.pop(job_id, None)
        if job is None:
            return False
        lines = self._lines[job.priority]
        del lines[job.owner][job_id]
        if not lines[job.owner]:
            del lines[job.owner]
        return True

    def clear(self) -> None:
        """Forgets everybody."""
        self._jobs.clear()
        for lines in self._lines.values():
            lines.clear()
