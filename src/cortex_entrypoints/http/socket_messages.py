"""Messages that a WebSocket client may send."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from cortex_domain.errors import InvalidRequestError
from cortex_entrypoints.http.agent_run_bodies import AgentRunTaskBody, ApprovalBody
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


class RunMessage(AgentRunTaskBody):
    """Starts an agent run and follows it."""

    type: Literal["run"]
    request_id: RequestId | None = None


class FollowMessage(Body):
    """Follows an agent run, however it was started, from any event on."""

    type: Literal["follow"]
    run_id: Annotated[str, Field(min_length=1, max_length=LONGEST_REQUEST_ID)]
    last_sequence: Annotated[int, Field(ge=0)] | None = None
    request_id: RequestId | None = None


class DecideMessage(ApprovalBody):
    """Decides on a call that an agent run waits with; those who follow the run are told."""

    type: Literal["decide"]
    run_id: Annotated[str, Field(min_length=1, max_length=LONGEST_REQUEST_ID)]
    call_id: Annotated[str, Field(min_length=1)]


class CancelMessage(Body):
    """Ends a chat before it is done, or an agent run."""

    type: Literal["cancel"]
    request_id: RequestId


class PingMessage(Body):
    """Asks whether the server is there."""

    type: Literal["ping"]


ChatSocketMessage = ChatMessage | ResumeMessage | CancelMessage | PingMessage
AgentSocketMessage = RunMessage | FollowMessage | DecideMessage
SocketMessage = ChatSocketMessage | AgentSocketMessage

_CHAT_MESSAGES: Final[Mapping[str, type[SocketMessage]]] = {
    "chat": ChatMessage,
    "resume": ResumeMessage,
    "cancel": CancelMessage,
    "ping": PingMessage,
}
_AGENT_MESSAGES: Final[Mapping[str, type[SocketMessage]]] = {
    "run": RunMessage,
    "follow": FollowMessage,
    "decide": DecideMessage,
}
_STARTING: Final = ("chat", "resume", "run", "follow")


def validate_message(value: object, /, *, has_agents: bool) -> SocketMessage:
    """Checks that a JSON value is a message.

    Args:
        value: What was sent.
        has_agents: Whether agents are switched on.

    Raises:
        InvalidRequestError: It is not; names the first field that is wrong.
    """
    if not isinstance(value, dict):
        raise InvalidRequestError("A message must be a JSON object.")
    kind = value.get("type")
    known = {**_CHAT_MESSAGES, **(_AGENT_MESSAGES if has_agents else {})}
    if not isinstance(kind, str) or kind not in known:
        *others, last = (repr(name) for name in known)
        raise InvalidRequestError(f"type must be {', '.join(others)} or {last}.", parameter="type")
    return validate_body(value, known[kind])


def chat_id_of(value: object, /) -> str | None:
    """Returns the id of the chat or run that a JSON value would start, or None when it would start or name none."""
    if not isinstance(value, dict) or value.get("type") not in _STARTING:
        return None
    request_id = value.get("request_id")
    is_id = isinstance(request_id, str) and 0 < len(request_id) <= LONGEST_REQUEST_ID
    return request_id if is_id else None
