"""What an engine is made with."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What an engine is told once, when it is made, wherever it runs.

    Attributes:
        memory_limit_bytes: Memory that models and caches may take together, in bytes; None leaves it to what the device
            has free.
    """

    memory_limit_bytes: int | None = None

    def to_arguments(self) -> list[str]:
        """Writes them as arguments of a program."""
        return [json.dumps(asdict(self))]

    @classmethod
    def from_arguments(cls, arguments: Sequence[str], /) -> Self:
        """Reads what `to_arguments` wrote; no arguments are the defaults."""
        return cls(**json.loads(arguments[0])) if arguments else cls()
