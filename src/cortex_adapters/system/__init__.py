"""Adapters on the machine itself."""

from cortex_adapters.system.clock import SystemClock
from cortex_adapters.system.task_runner import AsyncioTaskRunner

__all__ = ["AsyncioTaskRunner", "SystemClock"]
