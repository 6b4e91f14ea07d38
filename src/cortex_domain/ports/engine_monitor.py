"""Port: tells how the engine is doing."""

from abc import abstractmethod
from typing import Protocol

from cortex_domain.engine_status import EngineStatus


class EngineMonitor(Protocol):
    """Looks at the engine without disturbing it.

    Contract:
        - `status` answers at once, also while the engine computes, loads a model, or has failed.
        - `active_requests` and `waiting_requests` are 0 again once every request has ended or was left.
    """

    @abstractmethod
    def status(self) -> EngineStatus:
        """Returns how the engine is doing now."""
