"""Tells a value of the sandbox in JSON, or in words, without taking more room than allowed.

A value may hold one large text a million times: it takes little in the sandbox and here, and would fill the memory if
anybody wrote it out. So it is measured before it is written.
"""

import datetime as dt
import decimal
import math
import reprlib
from typing import Final

from pydantic_monty import MontyClassProxy

_DEEPEST: Final = 64
_LONGEST_NUMBER_BITS: Final = 14_000  # about what Python writes in decimal without being asked to
_SMALL: Final = (bool, int, float, complex, range, type(None), type(...))
_SIZED: Final = (bytes, decimal.Decimal, dt.date, dt.time, dt.timedelta, dt.tzinfo)


class ValueTooLongError(ValueError):
    """The value would take more room than allowed."""


class NotJsonError(ValueError):
    """JSON cannot say the value."""


def as_json(value: object, /, *, max_bytes: int) -> object:
    """Copies a value as JSON says it; tuples become lists.

    Raises:
        NotJsonError: JSON cannot say it.
        ValueTooLongError: Written out it would take more than `max_bytes`, about.
    """
    return _Copy(max_bytes).copy(value, depth=0)


def as_text(value: object, /, *, max_bytes: int) -> str:
    """Shows a value as Python does, with dots for what is long or deep."""
    return _Shown().repr(value).encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")


class _Copy:
    def __init__(self, room: int) -> None:
        self._room = room

    def copy(self, value: object, *, depth: int) -> object:
        if depth > _DEEPEST:
            raise NotJsonError
        match value:
            case dict():
                self._use(2)
                return {self._key(key): self.copy(item, depth=depth + 1) for key, item in value.items()}
            case list() | tuple():
                self._use(2)
                return [self.copy(item, depth=depth + 1) for item in value]
            case _:
                return self._leaf(value)

    def _key(self, key: object) -> str:
        if not isinstance(key, str):
            raise NotJsonError
        return self._text(key)

    def _leaf(self, value: object) -> object:
        match value:
            case str():
                return self._text(value)
            case None | bool():
                self._use(4)
            case int():
                self._use(1 + value.bit_length() // 3)
                if value.bit_length() > _LONGEST_NUMBER_BITS:
                    raise ValueTooLongError
            case float() if math.isfinite(value):
                self._use(8)
            case _:
                raise NotJsonError
        return value

    def _text(self, text: str) -> str:
        self._use(len(text))
        encoded = text.encode("utf-8", "replace")
        self._use(2 + len(encoded) - len(text))
        return encoded.decode()

    def _use(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise ValueTooLongError


class _Shown(reprlib.Repr):
    """Shows the beginning of what is long, and nothing of what an unknown object holds."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = self.maxdeque = 40
        self.maxstring = self.maxother = 1000

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002 - the signature is reprlib's
        return repr(x) if x.bit_length() <= _LONGEST_NUMBER_BITS else f"<a number of {x.bit_length()} bits>"

    def repr_instance(self, x: object, level: int) -> str:
        if isinstance(x, MontyClassProxy):
            return f"<{x.name} object>"
        if isinstance(x, _SMALL + _SIZED):
            return super().repr_instance(x, level)
        return f"<{type(x).__name__} object>"
