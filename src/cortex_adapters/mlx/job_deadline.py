"""Holds a job to its deadline, whatever its engine does.

Until a job is accepted, there is nothing to show for it: it is refused. Afterwards the engine ends it, before its next
step, because only the engine knows all about the answer. One that is starting again or loading a model does not get to
it in time; then the job ends with what was heard of it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cortex_adapters.mlx.jobs import JobId
from cortex_adapters.mlx.open_job import OpenJob
from cortex_domain.errors import DeadlineExceededError

_GRACE_S = 1.0
"""What the engine has beyond the deadline: longer than any step should take."""


@contextmanager
def held_to_deadline(open_job: OpenJob, cancel: Callable[[JobId], None]) -> Iterator[None]:
    """Ends the job when its deadline passes while the block runs; `cancel` is called for it then."""
    if open_job.job.deadline_s is None:
        yield
        return

    def refuse() -> None:
        if not open_job.accepted.done():
            cancel(open_job.job.id)
            open_job.fail(DeadlineExceededError())

    def break_off() -> None:
        if not open_job.is_over:
            cancel(open_job.job.id)
            open_job.break_off()

    loop, remaining_s = asyncio.get_running_loop(), open_job.job.deadline_s - time.monotonic()
    timers = loop.call_later(remaining_s, refuse), loop.call_later(remaining_s + _GRACE_S, break_off)
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
