"""Messages that a WebSocket client may send."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from cortex_domain.errors import InvalidRequestError
from cortex_entrypoints.http.json_parsing import validate_body
from cortex_entrypoints.http.request_bodies import ChatBody
from cortex_entrypoints.http.strict_body import Body

LONGEST_REQUEST_ID: Final = 128

RequestId = Annotated[str, Field(min_length=1, max_length=LONGEST_REQUEST_ID)]


class ChatMessage(ChatBody):
    """Starts a chat: the fields of `POST /api/chat/completions` and an id of the client's choice."""

    type: Literal["chat"]
    request_id: RequestId | None = None


class ResumeMessage(Body):
    """Reads a generation on that was begun on this or another connection, or by `POST`."""

    type: Literal["resume"]
    generation_id: Annotated[str, Field(min_length=1, max_length=LONGEST_REQUEST_ID)]
    last_sequence: Annotated[int, Field(ge=0)] | None = None
    request_id: RequestId | None = None


class CancelMessage(Body):
    """Ends a chat before it is done."""

    type: Literal["cancel"]
    request_id: RequestId


class PingMessage(Body):
    """Asks whether the server is there."""

    type: Literal["ping"]


SocketMessage = ChatMessage | ResumeMessage | CancelMessage | PingMessage

_MESSAGE_CLASSES: Final[Mapping[str, type[SocketMessage]]] = {
    "chat": ChatMessage,
    "resume": ResumeMessage,
    "cancel": CancelMessage,
    "ping": PingMessage,
}


def validate_message(value: object, /) -> SocketMessage:
    """Checks that a JSON value is a message.

    Raises:
        InvalidRequestError: It is not; names the first field that is wrong.
    """
    if not isinstance(value, dict):
        raise InvalidRequestError("A message must be a JSON object.")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _MESSAGE_CLASSES:
        raise InvalidRequestError("type must be 'chat', 'resume', 'cancel' or 'ping'.", parameter="type")
    return validate_body(value, _MESSAGE_CLASSES[kind])


def chat_id_of(value: object, /) -> str | None:
    """Returns the id of the chat that a JSON value would start, or None when it would start none or names none."""
    if not isinstance(value, dict) or value.get("type") not in ("chat", "resume"):
        return None
    request_id = value.get("request_id")
    is_id = isinstance(request_id, str) and 0 < len(request_id) <= LONGEST_REQUEST_ID
    return request_id if is_id else None
