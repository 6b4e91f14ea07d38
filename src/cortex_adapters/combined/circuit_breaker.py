"""Leaves alone for a while what fails again and again."""

from typing import Final

from cortex_domain.ports import Clock

FAILURES_TO_OPEN: Final = 3
REST_S: Final = 60.0
LONGEST_REST_S: Final = 3600.0


class CircuitBreaker:
    """Counts failures in a row; after some, nothing is tried for a while, and then once to see.

    Args:
        clock: Tells how long it has rested.
        failures_to_open: Failures in a row after which it rests; at least 1.
        rest_s: Seconds that it rests, if the failure does not tell.
    """

    def __init__(self, *, clock: Clock, failures_to_open: int = FAILURES_TO_OPEN, rest_s: float = REST_S) -> None:
        self._clock = clock
        self._failures_to_open = failures_to_open
        self._rest_s = rest_s
        self._failures = 0
        self._closed_from_s = 0.0

    @property
    def rest_left_s(self) -> float:
        """Seconds for which nothing may be tried; 0 when something may."""
        return max(0.0, self._closed_from_s - self._clock.monotonic_s())

    def begin(self) -> bool:
        """Tells whether something may be tried, and counts on hearing how it went.

        After a rest, one try is let through, and the next ones wait for its outcome or for another rest.
        """
        if self.rest_left_s > 0:
            return False
        if self._failures >= self._failures_to_open:
            self._rest(self._rest_s)
        return True

    def succeeded(self) -> None:
        """Forgets all failures."""
        self._failures = 0
        self._closed_from_s = 0.0

    def failed(self, retry_after_s: float | None = None) -> None:
        """Counts a failure.

        Args:
            retry_after_s: Seconds for which whatever failed wants to be left alone; it is believed, up to an hour.
        """
        self._failures += 1
        if retry_after_s is not None:
            self._rest(min(retry_after_s, LONGEST_REST_S))
        elif self._failures >= self._failures_to_open:
            self._rest(self._rest_s)

    def _rest(self, seconds: float) -> None:
        self._closed_from_s = self._clock.monotonic_s() + seconds
