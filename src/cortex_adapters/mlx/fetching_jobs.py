"""Jobs whose beginning is on its way from disk; they wait for a row only when it is there."""

from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.jobs import JobId
from cortex_adapters.mlx.model_prefixes import ModelPrefixes, PrefixFetch


class FetchingJobs:
    """Jobs and what is read for them.

    Args:
        prefixes: Reads it.
    """

    def __init__(self, prefixes: ModelPrefixes) -> None:
        self._prefixes = prefixes
        self._fetches: dict[JobId, tuple[ActiveJob, PrefixFetch]] = {}

    @property
    def items(self) -> list[ActiveJob]:
        """The jobs."""
        return [active for active, _ in self._fetches.values()]

    @property
    def has_news(self) -> bool:
        """Whether `take_ready` would do anything."""
        return any(fetch.has_news for _, fetch in self._fetches.values())

    def add(self, active: ActiveJob) -> bool:
        """Begins to read what the disk has for a job; returns whether there is anything."""
        progress = active.progress
        fetch = self._prefixes.fetch(active.job.owner, progress.prompt + progress.answer)
        if fetch is not None:
            self._fetches[active.job.id] = active, fetch
        return fetch is not None

    def take_ready(self) -> list[ActiveJob]:
        """Takes what has come, and returns the jobs that have all that there was."""
        ready = [active for active, fetch in self._fetches.values() if self._prefixes.take_fetched(fetch)]
        for active in ready:
            del self._fetches[active.job.id]
        return ready

    def drop(self, job_id: JobId) -> bool:
        """Forgets a job; returns whether it was here."""
        _, fetch = self._fetches.pop(job_id, (None, None))
        if fetch is not None:
            fetch.reading.is_unwanted = True
        return fetch is not None

    def clear(self) -> None:
        """Forgets all jobs."""
        for job_id in list(self._fetches):
            self.drop(job_id)
