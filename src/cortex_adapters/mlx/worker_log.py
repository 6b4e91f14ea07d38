"""What the worker process logs, logged by its parent: one log, in the parent's format, by the parent's rules.

An exception's message travels apart from the rest, so that whoever formats the parent's log decides whether to show it:
it may quote what a user wrote.
"""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLogged:
    """A log record of the worker.

    Attributes:
        level: Its severity, as `logging` counts.
        logger: Name of the logger.
        message: What it says, and where an exception came from.
        error: The exception's own message, or None when there is no exception.
    """

    level: int
    logger: str
    message: str
    error: str | None = None


class WorkerError(Exception):
    """An exception of the worker; its message is that exception's."""


class ReportingHandler(logging.Handler):
    """Sends each record to the parent.

    Args:
        send: Called with each one, on whatever thread logs.
    """

    def __init__(self, send: Callable[[WorkerLogged], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Sends a record."""
        error = record.exc_info[1] if record.exc_info else None
        message = record.getMessage()
        if error is not None:
            message = f"{message}\n{''.join(traceback.format_tb(error.__traceback__))}{type(error).__qualname__}"
        told = None if error is None else str(error)
        self._send(WorkerLogged(level=record.levelno, logger=record.name, message=message, error=told))


def log_again(logged: WorkerLogged, /) -> None:
    """Logs a worker's record in this process."""
    exc_info = None if logged.error is None else WorkerError(logged.error)
    logging.getLogger(logged.logger).log(logged.level, "%s", logged.message, exc_info=exc_info)
