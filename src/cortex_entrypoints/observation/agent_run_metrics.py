"""Metrics of agent runs; there are none where agents are switched off."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cortex_entrypoints.agent_runs import AgentRuns


class AgentRunCollector(Collector):
    """Looks at the runs when somebody asks; the look waits for nothing."""

    def __init__(self, runs: AgentRuns) -> None:
        self._runs = runs

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics."""
        yield GaugeMetricFamily(
            "cortex_agent_runs_live", "Runs that are worked on, or wait for their turn.", value=self._runs.live_runs
        )
        finished = CounterMetricFamily("cortex_agent_runs_finished", "Runs that are over.", labels=["state"])
        for status, times in sorted(self._runs.finished_runs.items()):
            finished.add_metric([status.value], times)
        yield finished
