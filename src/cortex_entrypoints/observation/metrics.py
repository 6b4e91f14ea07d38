"""Every metric of the server; `docs/metrics.md` says what each one means.

Labels hold what the server knows, never what a client made up, so that the number of series is bounded.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from cortex_domain.engine_status import EngineStatus
from cortex_domain.language_models import LoadedModel
from cortex_domain.ports import EngineMonitor
from cortex_entrypoints.observation.gap_histograms import GapHistograms
from cortex_entrypoints.tool_tally import ToolTally
from cortex_entrypoints.version import installed_version

_WAIT_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_WORK_BUCKETS_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_GAP_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The metrics of one application, in a registry of their own.

    Attributes:
        registry: Gathers all of them.
    """

    def __init__(
        self,
        *,
        engine_monitor: EngineMonitor,
        loaded_models: Callable[[], Sequence[LoadedModel]],
        tool_tally: ToolTally,
    ) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, namespace="cortex", registry=self.registry)
        gauge = partial(Gauge, namespace="cortex", registry=self.registry)
        waiting = partial(Histogram, namespace="cortex", registry=self.registry, buckets=_WAIT_BUCKETS_S)
        working = partial(Histogram, namespace="cortex", registry=self.registry, buckets=_WORK_BUCKETS_S)

        self.http_requests = counter("http_requests", "HTTP requests that ended.", ["method", "route", "status"])
        self.http_requests_in_flight = gauge("http_requests_in_flight", "HTTP requests that are being served.")
        self.http_request_duration = working(
            "http_request_duration_seconds", "From the head of a request to the end of its answer.", ["method", "route"]
        )
        self.websocket_connections = gauge("websocket_connections", "WebSocket connections that are open.")

        self.generations_in_flight = gauge("generations_in_flight", "Generations that were asked for and not left.")
        self.generations_finished = counter(
            "generations_finished", "Generations with a complete answer.", ["model", "finish_reason"]
        )
        self.generations_failed = counter(
            "generations_failed", "Generations refused or broken off.", ["code", "reason"]
        )
        self.generations_cancelled = counter("generations_cancelled", "Generations left before their end.", ["cause"])
        self.generations_resumed = counter("generations_resumed", "Generations that went on after they were left.")
        self.prompt_tokens = counter("prompt_tokens", "Tokens of accepted prompts.", ["model"])
        self.cached_prompt_tokens = counter(
            "cached_prompt_tokens", "Prompt tokens of complete answers that were not computed again.", ["model"]
        )
        self.prefix_cache_hits = counter(
            "prefix_cache_hits", "Prompts of complete answers of which a part was computed before.", ["model"]
        )
        self.prefix_cache_misses = counter(
            "prefix_cache_misses", "Prompts of complete answers whose reuse stopped early.", ["model", "reason"]
        )
        self.completion_tokens = counter("completion_tokens", "Tokens of complete answers.", ["model"])
        self.time_to_first_token = waiting(
            "time_to_first_token_seconds", "From asking to the first piece of the answer.", ["model"]
        )
        self.inter_token = GapHistograms(
            "cortex_inter_token_seconds", "Between two pieces of one answer.", buckets_s=_GAP_BUCKETS_S
        )
        self.queue = waiting("queue_seconds", "From acceptance to the first work on the prompt.", ["model"])
        self.prefill = waiting("prefill_seconds", "Work on the prompt.", ["model"])
        self.generation_duration = working(
            "generation_duration_seconds", "From asking to the end of a complete answer.", ["model"]
        )

        self.registry.register(self.inter_token)
        self.registry.register(_EngineCollector(engine_monitor, loaded_models))
        self.registry.register(_ToolCollector(tool_tally))
        ProcessCollector(registry=self.registry)


class _ToolCollector(Collector):
    """Tells what tools were used."""

    def __init__(self, tally: ToolTally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics."""
        uses = CounterMetricFamily("cortex_tool_uses", "Uses of tools that ended.", labels=["tool", "outcome"])
        for (tool, outcome), times in self._tally.uses.items():
            uses.add_metric([tool, outcome.value], times)
        seconds = CounterMetricFamily("cortex_tool_use_seconds", "Seconds that uses of tools took.", labels=["tool"])
        for tool, total_s in self._tally.seconds.items():
            seconds.add_metric([tool], total_s)
        yield from (uses, seconds)


class _EngineCollector(Collector):
    """Looks at the engine when somebody asks; the look waits for nothing."""

    def __init__(self, engine_monitor: EngineMonitor, loaded_models: Callable[[], Sequence[LoadedModel]]) -> None:
        self._engine_monitor = engine_monitor
        self._loaded_models = loaded_models

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics."""
        engine = self._engine_monitor.status()
        labels = {"version": installed_version(), "device": engine.device.value}
        yield InfoMetricFamily("cortex_build", "What runs, and on what.", value=labels)
        yield GaugeMetricFamily("cortex_models_loaded", "Models in memory.", value=len(self._loaded_models()))
        yield GaugeMetricFamily("cortex_event_loop_tasks", "Tasks of the event loop.", value=_tasks())
        yield from _engine_metrics(engine)


def _engine_metrics(engine: EngineStatus) -> Iterator[Metric]:
    is_up = engine.failure is None
    yield GaugeMetricFamily("cortex_engine_up", "1 while the engine can serve, else 0.", value=is_up)
    yield GaugeMetricFamily(
        "cortex_engine_active_requests", "Requests that are worked on.", value=engine.active_requests
    )
    yield GaugeMetricFamily(
        "cortex_engine_waiting_requests", "Requests that were accepted and not begun.", value=engine.waiting_requests
    )
    yield GaugeMetricFamily(
        "cortex_engine_memory_active_bytes", "Memory of models and caches.", value=engine.active_memory_bytes
    )
    yield GaugeMetricFamily(
        "cortex_engine_memory_peak_bytes", "The most since the engine started.", value=engine.peak_memory_bytes
    )
    yield from _prefix_cache_metrics(engine)
    yield CounterMetricFamily(
        "cortex_engine_restarts", "Engines started in place of one that ended on its own.", value=engine.restarts
    )


def _prefix_cache_metrics(engine: EngineStatus) -> Iterator[Metric]:
    held = GaugeMetricFamily("cortex_prefix_cache_bytes", "What is kept of computed prompts.", labels=["tier"])
    held.add_metric(["memory"], engine.prefix_cache_memory_bytes)
    held.add_metric(["disk"], engine.prefix_cache_disk_bytes)
    yield held
    yield CounterMetricFamily(
        "cortex_prefix_cache_prompt_tokens", "Tokens of prompts since the engine started.", value=engine.prompt_tokens
    )
    yield CounterMetricFamily(
        "cortex_prefix_cache_hit_tokens", "Those that were computed before.", value=engine.cached_prompt_tokens
    )


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # read from outside of an event loop
        return 0
