"""The contract of `cortex_domain.ports.Clock`."""

import asyncio
from dataclasses import dataclass
from itertools import pairwise

import pytest

from cortex_contracts.checks import checks
from cortex_domain.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockHarness:
    """What the contract needs.

    Attributes:
        clock: The adapter under test.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    clock: Clock
    patience_s: float = 60.0


@pytest.mark.asyncio
class ClockContract:
    """Subclass this and define a fixture `harness` that returns a `ClockHarness`."""

    @checks("clock.monotonic_never_goes_back")
    async def test_monotonic_never_goes_back(self, harness: ClockHarness) -> None:
        """Reads the clock many times in a row."""
        readings_s = [harness.clock.monotonic_s() for _ in range(100)]
        assert all(earlier <= later for earlier, later in pairwise(readings_s))

    @checks("clock.sleep_lasts")
    async def test_sleep_lasts(self, harness: ClockHarness) -> None:
        """Measures a sleep with the clock itself; timers may be a little early by their resolution."""
        before_s = harness.clock.monotonic_s()
        await harness.clock.sleep(0.05)
        assert harness.clock.monotonic_s() - before_s >= 0.99 * 0.05

    @checks("clock.sleep_lets_others_run")
    async def test_sleep_lets_others_run(self, harness: ClockHarness) -> None:
        """Starts a task and looks whether it ran during the shortest sleep."""
        ran = asyncio.Event()
        asyncio.get_running_loop().call_soon(ran.set)
        await harness.clock.sleep(0)
        assert ran.is_set()

    @checks("clock.counts_seconds")
    async def test_counts_seconds(self, harness: ClockHarness) -> None:
        """Compares how far both readings move during one sleep."""
        now_s, monotonic_s = harness.clock.now_s(), harness.clock.monotonic_s()
        await harness.clock.sleep(0.05)
        passed_s = harness.clock.monotonic_s() - monotonic_s
        assert passed_s / 2 <= harness.clock.now_s() - now_s <= passed_s * 2
