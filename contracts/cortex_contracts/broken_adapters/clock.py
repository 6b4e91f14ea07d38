"""Clocks that are wrong in one way each."""

from collections.abc import Callable
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.clock import ClockHarness
from cortex_domain.ports import Clock


class _Passing(Clock):
    """Wrong in no way yet."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner

    def now_s(self) -> float:
        return self._inner.now_s()

    def monotonic_s(self) -> float:
        return self._inner.monotonic_s()

    async def sleep(self, seconds: float, /) -> None:
        await self._inner.sleep(seconds)


class _GoesBack(_Passing):
    def __init__(self, inner: Clock) -> None:
        super().__init__(inner)
        self._readings = 0

    def monotonic_s(self) -> float:
        """Loses a hundredth of a millisecond at every second reading."""
        self._readings += 1
        return super().monotonic_s() - 1e-5 * (self._readings % 2)


class _SleepsShort(_Passing):
    async def sleep(self, seconds: float, /) -> None:
        await super().sleep(seconds / 4)


class _DoesNotYield(_Passing):
    async def sleep(self, seconds: float, /) -> None:
        if seconds > 0:
            await super().sleep(seconds)


class _CountsMilliseconds(_Passing):
    def now_s(self) -> float:
        return super().now_s() * 1000


def _breakage(requirement_id: str, broken: Callable[[Clock], Clock]) -> Breakage[ClockHarness]:
    return Breakage(requirement_id, broken.__name__, lambda harness: replace(harness, clock=broken(harness.clock)))


BROKEN_CLOCKS = (
    _breakage("clock.monotonic_never_goes_back", _GoesBack),
    _breakage("clock.sleep_lasts", _SleepsShort),
    _breakage("clock.sleep_lets_others_run", _DoesNotYield),
    _breakage("clock.counts_seconds", _CountsMilliseconds),
)
