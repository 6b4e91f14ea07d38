"""What tools were used since the start, in numbers."""

from collections import Counter
from enum import StrEnum


class ToolOutcome(StrEnum):
    """How a use ended: with an output, with an error, or given up before its end."""

    OK = "ok"
    FAILED = "failed"
    GIVEN_UP = "given_up"


class ToolTally:
    """What tools were used since the start.

    Attributes:
        uses: How often, by tool and outcome; each attempt counts.
        seconds: How long together, by tool.
    """

    def __init__(self) -> None:
        self.uses: Counter[tuple[str, ToolOutcome]] = Counter()
        self.seconds: dict[str, float] = {}

    def add(self, tool: str, outcome: ToolOutcome, *, seconds: float) -> None:
        """Counts a use."""
        self.uses[tool, outcome] += 1
        self.seconds[tool] = self.seconds.get(tool, 0.0) + seconds
