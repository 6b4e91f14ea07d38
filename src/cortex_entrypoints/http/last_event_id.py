"""Where a client that was cut wants a stream to go on."""

import re
from typing import Final

from quart import request

from cortex_domain.errors import InvalidRequestError

_EVENT_ID: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_EVENT_ID_SCHEMA: Final = {"type": "string", "pattern": f"^({_EVENT_ID.pattern})$"}
READING_PARAMETERS: Final = (
    {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The last event that the client has. Empty or left out: none.",
        "schema": _EVENT_ID_SCHEMA,
    },
    {
        "name": "last_event_id",
        "in": "query",
        "description": "The same for clients that cannot set headers; the header wins.",
        "schema": _EVENT_ID_SCHEMA,
    },
)


def last_event_id() -> int | None:
    """Returns the last event that the client has; the header wins, and an empty one is none, as in a browser.

    Raises:
        InvalidRequestError: It is not the id of an event.
    """
    written = request.headers.get("Last-Event-ID") or request.args.get("last_event_id") or ""
    if not written:
        return None
    if _EVENT_ID.fullmatch(written) is None:
        raise InvalidRequestError(
            "Last-Event-ID must be the id of an event: a whole number, at least 0.", parameter="Last-Event-ID"
        )
    return int(written)
