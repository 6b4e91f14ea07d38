from prometheus_client import CollectorRegistry, Histogram, generate_latest

from cortex_entrypoints.observation.gap_histograms import GapHistograms

BUCKETS_S = (0.001, 0.01, 1.0)
VALUES_S = (0.0, 0.001, 0.0011, 0.5, 1.0, 3.0)


def test_it_shows_what_the_librarys_own_would() -> None:
    own, theirs = CollectorRegistry(), CollectorRegistry()
    gaps = GapHistograms("gap_seconds", "Gaps.", buckets_s=BUCKETS_S)
    own.register(gaps)
    reference = Histogram("gap_seconds", "Gaps.", ["model"], buckets=BUCKETS_S, registry=theirs)
    for model, values_s in (("a/b", VALUES_S), ("a/c", VALUES_S[:2])):
        for value_s in values_s:
            gaps.of(model).observe(value_s)
            reference.labels(model).observe(value_s)
    assert _lines(own) == _lines(theirs)


def _lines(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
