"""Port: runs coroutines side by side, and gives up on those that take too long."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

Event = TypeVar("Event")
Producer = Callable[[Callable[[Event], None]], Awaitable[None]]
"""Does some work and tells of it through the function that it is given."""


class TaskRunner(Protocol):
    """The concurrency that use cases need, whatever event loop there is.

    Contract:
        - All producers run from entering on. The iterator yields what they tell, each producer's events in its order,
          and ends when all have returned and everything told was read.
        - What a producer raises is raised by the iterator after what was told before; the others are cancelled.
        - Leaving the block, for whatever reason, cancels what still runs and waits for its end.
        - A block of `timeout` that lasts longer than asked is cancelled and left with a `TimeoutError`; one that is
          cancelled from outside stays cancelled. A cancellation that nobody asked for, raised by what the block awaits,
          is an error of that: the block is left with a `ContractViolationError`.
    """

    @abstractmethod
    def run(self, producers: Sequence[Producer[Event]], /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Runs producers side by side; there may be none."""

    @abstractmethod
    def timeout(self, seconds: float | None, /) -> AbstractAsyncContextManager[None]:
        """Gives a block a time limit; None gives it all the time.

        Raises:
            TimeoutError: On leaving; the time is over.
            ContractViolationError: On leaving; the block was left with a cancellation that nobody asked for.
        """
