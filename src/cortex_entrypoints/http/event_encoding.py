"""Events as JSON, for server-sent events and for WebSocket. Pure: no request, no clock, no I/O.

JSON escapes line ends within texts, so each event is one line and no text of a model can forge a frame.
"""

from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from cortex_domain.events import GenerationEvent, PullEvent
from cortex_domain.tool_execution import ToolEvent, ToolFinished, ToolProgress, ToolStarted
from cortex_entrypoints.http.response_bodies import CancelledEvent, ErrorEvent
from cortex_entrypoints.http.tool_events import ToolResultEvent

StreamEvent = GenerationEvent | ToolEvent | PullEvent | ErrorEvent | CancelledEvent
_WireEvent = GenerationEvent | ToolStarted | ToolProgress | ToolResultEvent | PullEvent | ErrorEvent | CancelledEvent

_EVENT: TypeAdapter[_WireEvent] = TypeAdapter(_WireEvent)


def encode_sse(event: StreamEvent, /, *, sequence: int) -> bytes:
    """Encodes an event as one frame.

    Args:
        event: The event.
        sequence: Its place in the stream, from 0.
    """
    return b"event: %b\nid: %d\ndata: %b\n\n" % (event.type.encode(), sequence, _EVENT.dump_json(_on_the_wire(event)))


def encode_socket_event(event: StreamEvent, /, *, request_id: str, sequence: int) -> str:
    """Encodes an event of one chat as the text of a WebSocket message.

    Args:
        event: The event.
        request_id: The chat that it belongs to.
        sequence: Its place in that chat, from 0.
    """
    fields = _EVENT.dump_python(_on_the_wire(event), mode="json")
    return encode_fields({**fields, "request_id": request_id, "sequence": sequence})


def encode_fields(fields: dict[str, Any], /) -> str:
    """Encodes a JSON object as the text of a WebSocket message."""
    return to_json(fields).decode()


def _on_the_wire(event: StreamEvent) -> _WireEvent:
    return ToolResultEvent.of_finished(event) if isinstance(event, ToolFinished) else event
