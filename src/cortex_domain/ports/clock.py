"""Port: tells the time."""

from abc import abstractmethod
from typing import Protocol


class Clock(Protocol):
    """The time of day and the time that passes.

    Contract:
        - `monotonic_s` never goes back.
        - `sleep` lets other tasks run, also for 0 seconds, and lasts at least as long as asked on `monotonic_s`.
    """

    @abstractmethod
    def now_s(self) -> float:
        """Returns the seconds since the Unix epoch."""

    @abstractmethod
    def monotonic_s(self) -> float:
        """Returns the seconds since a moment that stays the same while the program runs."""

    @abstractmethod
    async def sleep(self, seconds: float, /) -> None:
        """Waits; `seconds` is 0 or more."""
