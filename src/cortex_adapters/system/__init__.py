"""Adapters on the machine itself."""

from cortex_adapters.system.clock import SystemClock

__all__ = ["SystemClock"]
