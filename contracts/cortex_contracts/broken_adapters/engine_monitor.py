"""Engine monitors that are wrong in one way each."""

from collections.abc import Callable
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.text_generator import TextGeneratorHarness
from cortex_domain.engine_status import EngineStatus
from cortex_domain.ports import EngineMonitor


class _Distorting(EngineMonitor):
    """Passes on what another monitor says, distorted."""

    def __init__(self, inner: EngineMonitor, distort: Callable[[EngineStatus], EngineStatus]) -> None:
        self._inner = inner
        self._distort = distort

    def status(self) -> EngineStatus:
        return self._distort(self._inner.status())


def _count_nothing(status: EngineStatus) -> EngineStatus:
    return replace(status, active_requests=0)


def _count_one_for_ever(status: EngineStatus) -> EngineStatus:
    return replace(status, active_requests=1)


def _tell_kilobytes(status: EngineStatus) -> EngineStatus:
    return replace(status, active_memory_bytes=status.active_memory_bytes // 1024)


def _forget_the_peak(status: EngineStatus) -> EngineStatus:
    return replace(status, peak_memory_bytes=0)


def _complain(status: EngineStatus) -> EngineStatus:
    return replace(status, failure="The engine is tired.")


def _breakage(requirement_id: str, distort: Callable[[EngineStatus], EngineStatus]) -> Breakage[TextGeneratorHarness]:
    return Breakage(
        requirement_id,
        distort.__name__,
        lambda harness: replace(harness, monitor=_Distorting(harness.monitor, distort)),
    )


BROKEN_ENGINE_MONITORS = (
    _breakage("engine_monitor.counts_requests", _count_nothing),
    _breakage("engine_monitor.idle_again", _count_one_for_ever),
    _breakage("engine_monitor.memory_in_bytes", _tell_kilobytes),
    _breakage("engine_monitor.memory_in_bytes", _forget_the_peak),
    _breakage("engine_monitor.no_failure_while_serving", _complain),
)
