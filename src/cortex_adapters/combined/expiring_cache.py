"""Keeps values for a while, within bounds."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cortex_domain.ports import Clock

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class ExpiringCache(Generic[KeyT, ValueT]):
    """A table whose entries go when their time is over, or, the oldest first, when others need the room.

    Args:
        clock: Tells how old they are.
        keep_s: Seconds for which a value is kept.
        max_size: What all values may be together.
        size_of: Tells what one is, at least 1; one that is more than all may be is not kept.
    """

    def __init__(
        self, *, clock: Clock, keep_s: float, max_size: int, size_of: Callable[[ValueT], int] = lambda _: 1
    ) -> None:
        self._clock = clock
        self._keep_s = keep_s
        self._max_size = max_size
        self._size_of = size_of
        self._size = 0
        self._entries: dict[KeyT, tuple[float, ValueT]] = {}

    def get(self, key: KeyT, /) -> ValueT | None:
        """Returns a value that is not too old; None when there is none."""
        self._drop_old()
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def put(self, key: KeyT, value: ValueT, /) -> None:
        """Keeps a value, in place of what is there under this key."""
        self._drop(key)
        self._drop_old()
        self._entries[key] = (self._clock.monotonic_s() + self._keep_s, value)
        self._size += self._size_of(value)
        while self._size > self._max_size:
            self._drop(next(iter(self._entries)))

    def _drop_old(self) -> None:
        """Drops from the front, where the oldest are."""
        now_s = self._clock.monotonic_s()
        while self._entries:
            key, (until_s, _) = next(iter(self._entries.items()))
            if until_s > now_s:
                return
            self._drop(key)

    def _drop(self, key: KeyT) -> None:
        if key in self._entries:
            self._size -= self._size_of(self._entries.pop(key)[1])
