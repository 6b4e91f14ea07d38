"""The machine's clock keeps the contract of its port."""

import pytest

from cortex_adapters.system import SystemClock
from cortex_contracts.clock import ClockContract, ClockHarness


class TestSystemClock(ClockContract):
    @pytest.fixture
    def harness(self) -> ClockHarness:
        return ClockHarness(clock=SystemClock())
