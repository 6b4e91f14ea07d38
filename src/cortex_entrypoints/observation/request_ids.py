"""The id of the request that is being handled, for whatever is logged or answered on its behalf."""

import re
import uuid
from contextvars import ContextVar
from typing import Final

REQUEST_ID_HEADER: Final = "X-Request-Id"

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """Returns the id of the request that the running task, or the one that started it, works for; None for none."""
    return _current.get()


def bind_request_id(offered: str | None, /) -> str:
    """Gives the running task a request id and returns it.

    Args:
        offered: What the client calls its request; taken if it is short and harmless in a log, else replaced.
    """
    is_sane = offered is not None and _SANE.fullmatch(offered)
    request_id = offered if offered is not None and is_sane else f"req_{uuid.uuid4().hex}"
    _current.set(request_id)
    return request_id
