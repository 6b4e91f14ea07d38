"""Which waiting job gets a row of the batch next, and which running one makes room for it.

Prompts are read side by side in lanes; how many is a question of how fast the device reads. Long prompts leave a lane
free, through which short ones overtake them; but what has a lane keeps it and advances with each step, so none starves.
Nor does the background as a whole: when it has no row, the next one that is free is its own, and the oldest of its rows
is never taken away.
"""

from collections.abc import Callable, Sequence

from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.fair_queue import FairQueue, Shares, shares_of
from cortex_domain.generation import Priority

_LANES_BEYOND = 2
"""Up to this many times the lanes are used when owners come who read nothing yet."""


def next_in(
    waiting: FairQueue[ActiveJob],
    running: Sequence[ActiveJob],
    *,
    has_free_row: bool,
    lanes: int,
    is_long: Callable[[ActiveJob], bool],
) -> ActiveJob | None:
    """Finds the waiting job that goes next, if any may; it waits on until it is taken.

    Args:
        waiting: Jobs without a row.
        running: Jobs with a row.
        has_free_row: Whether there is a row that nobody has.
        lanes: How many prompts the device can read side by side.
        is_long: Tells whether the rest of a job's prompt takes long to read.
    """
    read = [active for active in running if active.unread_tokens]
    owners = {active.job.owner for active in read}
    is_short_read = not all(is_long(active) for active in read)

    def may_go(candidate: ActiveJob) -> bool:
        is_short = not is_long(candidate)
        if is_short and not is_short_read:
            return True
        if candidate.job.owner not in owners:
            return len(read) < _LANES_BEYOND * lanes
        return len(read) + (0 if is_short else 1) < lanes

    shares = shares_of(active.job for active in running)
    is_turn_of_background = has_free_row and running and not _has(shares, Priority.BACKGROUND)
    order = (Priority.BACKGROUND, Priority.INTERACTIVE) if is_turn_of_background else tuple(Priority)
    return waiting.first(shares, order=order, may_go=may_go)


def who_makes_room(newcomer: ActiveJob, running: Sequence[ActiveJob]) -> ActiveJob | None:
    """Finds the running job that gives its row to a newcomer; None when nobody has to.

    Background makes room for the interactive, and an owner with several rows for one that has none. The youngest job of
    the owner with the most rows goes, because it loses the least.
    """
    shares = shares_of(active.job for active in running)
    background = [active for active in running if active.job.priority is Priority.BACKGROUND]
    if newcomer.job.priority is Priority.INTERACTIVE and len(background) > 1:
        oldest = min(background, key=lambda active: active.job.id)
        return _youngest_of_largest([active for active in background if active is not oldest], shares)
    if shares[newcomer.job.priority, newcomer.job.owner]:
        return None
    peers = [active for active in running if active.job.priority is newcomer.job.priority]
    return _youngest_of_largest([peer for peer in peers if shares[peer.job.priority, peer.job.owner] > 1], shares)


def _youngest_of_largest(candidates: Sequence[ActiveJob], shares: Shares) -> ActiveJob | None:
    return max(
        candidates,
        key=lambda active: (shares[active.job.priority, active.job.owner], active.job.id),
        default=None,
    )


def _has(shares: Shares, priority: Priority) -> bool:
    return any(served is priority for served, _ in shares)
