"""Says how much memory models and caches may still take, and refuses what would take more."""

from cortex_adapters.mlx.device import available_memory_bytes, memory_use, total_memory_bytes
from cortex_adapters.mlx.model_memory import ModelMemory
from cortex_domain.errors import InsufficientMemoryError, MemoryExceededError, MemoryPressureError
from cortex_domain.language_models import ModelId

_RESERVE_BYTES = 2**30
_RESERVE_SHARE = 1 / 20
"""What stays free for the work itself (activations, copies of caches that grow) and for other programs: this share of
the memory, but no more than `_RESERVE_BYTES`."""


FIRST_CHAT_TOKENS = 2048
"""A model has room if its weights fit and, beside them, one chat of this length: alone the weights are of no use."""


class MemoryGuard:
    """Looks before memory is taken; belongs to the thread that computes.

    Args:
        limit_bytes: Memory that models and caches may take together, in bytes; None leaves it to what the device has
            free.
    """

    def __init__(self, *, limit_bytes: int | None = None) -> None:
        total_bytes = total_memory_bytes()
        self._limit_bytes = limit_bytes
        self._reserve_bytes = min(_RESERVE_BYTES, int(_RESERVE_SHARE * total_bytes))
        self.most_bytes = self._limited(total_bytes - self._reserve_bytes)
        """What models and caches could take together at best, in bytes."""

    def capacity_bytes(self) -> int:
        """Returns what models and caches may take together as things are now, in bytes."""
        return self._limited(memory_use().active_bytes + available_memory_bytes() - self._reserve_bytes)

    def available_bytes(self) -> int:
        """Returns what may still be taken, in bytes; 0 when it is too much already."""
        return max(0, self.capacity_bytes() - memory_use().active_bytes)

    def require_room(self, model_id: ModelId, memory: ModelMemory, /) -> None:
        """Makes sure that a model and a first chat with it fit.

        Raises:
            InsufficientMemoryError: They do not.
        """
        required_bytes, available_bytes = memory.bytes_with_sequence(FIRST_CHAT_TOKENS), self.available_bytes()
        if required_bytes > available_bytes:
            raise InsufficientMemoryError(
                model_id=model_id, required_bytes=required_bytes, available_bytes=available_bytes
            )

    def require_room_to_run(self, model_id: ModelId, *, required_bytes: int, own_bytes: int, all_bytes: int) -> None:
        """Makes sure that a request could run if all others ended.

        Args:
            model_id: The model that it asks.
            required_bytes: What it may come to take.
            own_bytes: Weights of that model.
            all_bytes: Weights of all models that are loaded.

        Raises:
            MemoryExceededError: It could not, and neither if its model were the only one and all memory free.
            MemoryPressureError: It could not as things are now.
        """
        at_best_bytes = max(0, self.most_bytes - own_bytes)
        if required_bytes > at_best_bytes:
            raise MemoryExceededError(model_id=model_id, required_bytes=required_bytes, available_bytes=at_best_bytes)
        now_bytes = max(0, self.capacity_bytes() - all_bytes)
        if required_bytes > now_bytes:
            raise MemoryPressureError(model_id=model_id, required_bytes=required_bytes, available_bytes=now_bytes)

    def _limited(self, size_bytes: int) -> int:
        return size_bytes if self._limit_bytes is None else min(size_bytes, self._limit_bytes)
