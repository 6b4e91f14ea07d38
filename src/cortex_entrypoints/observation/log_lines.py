"""Log records as lines: `key=value` for a terminal, JSON for a program that collects them.

No line quotes what people wrote. Our own messages do not, and of any other exception only the type and the place are
shown, because its message may hold the value that it stumbled over. DEBUG=true shows these messages.
"""

import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from cortex_domain.errors import CortexError, RequestRefusedError
from cortex_entrypoints.observation.request_ids import current_request_id

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def facts(**values: object) -> dict[str, Any]:
    """Returns `extra` for a log call: the values, by name, become part of the line; None is left out."""
    return {"facts": {name: value for name, value in values.items() if value is not None}}


def is_quotable(error: BaseException, /) -> bool:
    """Tells whether an error's message may be logged: what Cortex says of itself, not of what a client sent."""
    return isinstance(error, CortexError) and not isinstance(error, RequestRefusedError)


class _Lines(logging.Formatter):
    """Collects what a line says.

    Args:
        shows_messages: Whether messages of exceptions that are not Cortex's own are shown.
    """

    def __init__(self, *, shows_messages: bool) -> None:
        super().__init__()
        self._shows_messages = shows_messages

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 - logging's name
        """Tells where an exception came from, and what it says if that may be shown."""
        error = ei[1]
        if self._shows_messages or error is None:
            return super().formatException(ei)
        return "".join(_without_messages(error)).rstrip()

    def _facts(self, record: logging.LogRecord) -> dict[str, Any]:
        named: Mapping[str, Any] = getattr(record, "facts", {})
        request_id = current_request_id()
        return {**named, **({} if request_id is None else {"request_id": request_id})}

    def _exception(self, record: logging.LogRecord) -> str | None:
        return None if record.exc_info is None else self.formatException(record.exc_info)


class TextLines(_Lines):
    """One line for a person; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Makes `time LEVEL logger: message key=value …`."""
        head = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}"
        words = (f"{name}={_word(value)}" for name, value in self._facts(record).items())
        exception = self._exception(record)
        return " ".join((head, *words)) + (f"\n{exception}" if exception else "")


class JsonLines(_Lines):
    """One JSON object a record, on one line whatever it holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Makes `{"time", "level", "logger", "message", …}`."""
        exception = self._exception(record)
        fields = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._facts(record),
            **({} if exception is None else {"exception": exception}),
        }
        return json.dumps(fields, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: object) -> str:
    """Writes a value so that it is one word and cannot pass for another key or line."""
    text = str(value)
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(' ="\\') and text
    return text if is_plain else json.dumps(text)


def _without_messages(error: BaseException) -> Iterator[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _without_messages(earlier)
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__}{f': {error}' if is_quotable(error) else ''}\n"
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _without_messages(member)
