"""The way between a host and its engine."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cortex_adapters.mlx.engine_messages import Command, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEnd:
    """How an engine ended.

    Attributes:
        description: A phrase such as `was ended by signal 11`.
        is_from_outside: Whether somebody ended it, rather than its own work: SIGKILL, which people and systems short of
            memory send, or a stop that was asked for.
    """

    description: str
    is_from_outside: bool


class EngineLink(Protocol):
    """Starts an engine somewhere and carries messages to and from it.

    Every method belongs to one event loop, and the callbacks are called on it.

    Contract:
        - Messages arrive in the order in which they were sent, each once. What an engine said before it ended arrives
          before `on_end`.
        - `on_end` is called once for each `start`, however the engine ends.
        - An engine that has ended can be started again; nothing of the old one is left.

    Attributes:
        returns_memory: Whether the end of an engine gives back memory that the unloading of its models does not.
    """

    returns_memory: bool = False

    @abstractmethod
    async def start(self, on_report: Callable[[Report], None], on_end: Callable[[EngineEnd], None]) -> None:
        """Starts an engine.

        Args:
            on_report: Takes what the engine says.
            on_end: Takes how the engine ended.

        Raises:
            OSError: It cannot be started.
        """

    @abstractmethod
    def send(self, command: Command, /) -> None:
        """Sends a command; one that an ended engine can no longer take is dropped."""

    @abstractmethod
    async def stop(self) -> None:
        """Tells the engine to stop and waits until it has ended; does nothing when there is none."""
