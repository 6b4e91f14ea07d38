"""Histograms that cost next to nothing per value.

One value a token is many: a histogram of `prometheus_client` takes a lock twice for each, ten times as long as this
(measured: 0.67 µs and 0.08 µs). These belong to one thread.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class GapHistogram:
    """Counts values by bucket.

    Attributes:
        buckets_s: Upper bounds of the buckets, in seconds, rising.
        counts: Values in each bucket, and last those above all bounds.
        sum_s: All values together, in seconds.
    """

    __slots__ = ("buckets_s", "counts", "sum_s")

    def __init__(self, buckets_s: Sequence[float]) -> None:
        self.buckets_s = buckets_s
        self.counts = [0] * (len(buckets_s) + 1)
        self.sum_s = 0.0

    def observe(self, value_s: float, /) -> None:
        """Counts a value."""
        self.counts[bisect_left(self.buckets_s, value_s)] += 1
        self.sum_s += value_s


class GapHistograms(Collector):
    """One histogram a model, shown as one metric.

    Args:
        name: The metric's name.
        documentation: What it means.
        buckets_s: Upper bounds of the buckets, in seconds, rising.
    """

    def __init__(self, name: str, documentation: str, *, buckets_s: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._buckets_s = buckets_s
        self._by_model: dict[str, GapHistogram] = {}

    def of(self, model: str, /) -> GapHistogram:
        """Returns a model's histogram."""
        return self._by_model.setdefault(model, GapHistogram(self._buckets_s))

    def collect(self) -> Iterator[Metric]:
        """Yields the metric."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=["model"])
        bounds = [*map(floatToGoString, self._buckets_s), "+Inf"]
        for model, histogram in self._by_model.items():
            buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
            family.add_metric([model], buckets=buckets, sum_value=histogram.sum_s)
        yield family
