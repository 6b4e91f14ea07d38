"""Jobs that nobody reads for the time being, kept so that they can go on."""

from dataclasses import dataclass

from cortex_adapters.mlx.open_job import OpenJob
from cortex_domain.ports import Clock

MAX_SUSPENDED_JOBS = 1024

MAX_SUSPENDED_TOKENS = 1_000_000
"""Tokens of all prompts and answers together; one takes about 36 bytes, as Python counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SuspendedJob:
    open_job: OpenJob
    until_s: float


class SuspendedJobs:
    """Keeps jobs by the id of their generation, the oldest first to go.

    Args:
        clock: Tells when their time is over.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _SuspendedJob] = {}

    def add(self, generation_id: str, open_job: OpenJob, *, for_s: float) -> None:
        """Keeps a job for so many seconds, or until newer ones need the room."""
        until_s = self._clock.monotonic_s() + for_s
        self._kept[generation_id] = _SuspendedJob(open_job=open_job, until_s=until_s)
        self._drop_expired()
        while len(self._kept) > MAX_SUSPENDED_JOBS or self._tokens > MAX_SUSPENDED_TOKENS:
            del self._kept[next(iter(self._kept))]

    def find(self, generation_id: str) -> OpenJob | None:
        """Returns a job that is kept, and None of another."""
        self._drop_expired()
        kept = self._kept.get(generation_id)
        return None if kept is None else kept.open_job

    def remove(self, generation_id: str) -> None:
        """Lets go of a job; one that is not kept is none."""
        self._kept.pop(generation_id, None)

    @property
    def _tokens(self) -> int:
        return sum(kept.open_job.known_tokens for kept in self._kept.values())

    def _drop_expired(self) -> None:
        now_s = self._clock.monotonic_s()
        for generation_id in [name for name, kept in self._kept.items() if kept.until_s <= now_s]:
            del self._kept[generation_id]
