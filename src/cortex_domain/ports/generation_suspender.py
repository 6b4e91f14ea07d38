"""Port: sets generations aside and goes on with them."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cortex_domain.events import GenerationEvent
from cortex_domain.language_models import ModelId


class GenerationSuspender(Protocol):
    """Keeps what a generation needs to go on, while it takes no place among those that run.

    Contract:
        - A suspended generation is not computed. What was drawn and not read yet is kept.
        - Resuming goes on with the first event that was not read. Everything read before and after it is what one
          reader would have got who never left, whatever else ran meanwhile.
        - A generation can be suspended again, any number of times, also before its first event was read.
        - A generation whose block is open is not suspended and cannot be resumed; one that was left without being
          suspended is gone.
        - How much is kept is bounded: the oldest goes first, and none is kept longer than was asked for.
    """

    @abstractmethod
    def suspend(self, generation_id: str, /, *, for_s: float) -> None:
        """Suspends a generation; call it within its block, and leave that without reading on.

        Args:
            generation_id: The id of its request.
            for_s: Seconds, at least 0, for which it may be resumed at most.

        Raises:
            GenerationNotFoundError: Its block is not open, or it has several answers and this generator sets none of
                those aside.
        """

    @abstractmethod
    def model_of(self, generation_id: str, /) -> ModelId:
        """Returns the id of the model that a suspended generation needs.

        Raises:
            GenerationNotFoundError: It is not suspended, or no longer.
        """

    @abstractmethod
    def resume(self, generation_id: str, /) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Goes on with a suspended generation; one that cannot go on now stays suspended.

        Raises:
            GenerationNotFoundError: On entering; it is not suspended, or no longer.
            ModelNotLoadedError: On entering; its model is not in memory. On iterating; it was unloaded.
            GeneratorBusyError: On entering; too many requests wait.
            GeneratorFailedError: On entering or iterating; the generator failed on its side.
            ShuttingDownError: On entering or iterating; the generator is stopping.
        """

    @abstractmethod
    def discard(self, generation_id: str, /) -> None:
        """Forgets a suspended generation; one that is not suspended is left as it is."""
