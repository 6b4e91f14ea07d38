"""What an engine is made with."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Self

from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What an engine is told once, when it is made, wherever it runs.

    Attributes:
        memory_limit_bytes: Memory that models and caches may take together, in bytes; None leaves it to what the device
            has free.
        prefix_cache: What may be kept of computed prompts.
    """

    memory_limit_bytes: int | None = None
    prefix_cache: PrefixCacheLimits = field(default_factory=PrefixCacheLimits)

    def to_arguments(self) -> list[str]:
        """Writes them as arguments of a program."""
        return [json.dumps(asdict(self))]

    @classmethod
    def from_arguments(cls, arguments: Sequence[str], /) -> Self:
        """Reads what `to_arguments` wrote; no arguments are the defaults."""
        if not arguments:
            return cls()
        facts = json.loads(arguments[0])
        return cls(**(facts | {"prefix_cache": PrefixCacheLimits(**facts["prefix_cache"])}))
