"""The domain's events as those of a response. Pure: no request and no I/O."""

import itertools
from collections.abc import Callable, Iterator
from typing import Final, assert_never

from pydantic_core import to_json

from cortex_domain.events import (
    ChoiceFinished,
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    PrefillProgress,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.generation import FinishReason, GenerationRequest
from cortex_entrypoints.http.openai.error_objects import error_object
from cortex_entrypoints.http.openai.responses.body import ResponseBody
from cortex_entrypoints.http.openai.responses.open_items import (
    ItemPlace,
    OpenFunctionCall,
    OpenItem,
    OpenMessage,
    OpenReasoning,
)
from cortex_entrypoints.http.openai.responses.output_items import ItemStatus
from cortex_entrypoints.http.openai.responses.response_object import (
    IncompleteDetails,
    ResponseErrorFacts,
    ResponseObject,
    response_begun,
    usage_object,
)
from cortex_entrypoints.http.openai.responses.stream_events import (
    ResponseErrorEvent,
    ResponseStateEvent,
    ResponseStateKind,
    ResponseStreamEvent,
)

_FRAME_END: Final = b"\n\n"
_WHOLE: Final = (FinishReason.STOP, FinishReason.TOOL_CALLS)


class ResponseStream:
    """Follows one generation and tells it as a response.

    Attributes:
        response: The response as far as it is; there from the first event on.

    Args:
        body: What was asked for.
        request: The same as the domain has it.
        now_s: Tells the seconds since the Unix epoch.
    """

    def __init__(self, body: ResponseBody, request: GenerationRequest, *, now_s: Callable[[], float]) -> None:
        self._body = body
        self._request = request
        self._now_s = now_s
        self._numbers = itertools.count()
        self._open: OpenItem | None = None
        self.response: ResponseObject

    def encode(self, event: GenerationEvent, /) -> bytes:
        """Encodes the next event as frames; the last one ends the stream."""
        if isinstance(event, PrefillProgress):
            # A comment, which clients skip: it keeps the connection from looking dead while a long prompt is read.
            return b": prompt %d of %d tokens\n\n" % (event.processed_tokens, event.total_tokens)
        return b"".join(map(frame_of, self.take(event)))

    def encode_error(self, error: Exception, /) -> bytes:
        """Encodes the error that the stream ends with."""
        return b"".join(map(frame_of, self.fail(error)))

    def take(self, event: GenerationEvent, /) -> Iterator[ResponseStreamEvent]:
        """Takes the generation's next event and returns what it means for the response."""
        match event:
            case GenerationStarted():
                yield from self._begin(event)
            case TextDelta():
                yield from self._say(event)
            case ReasoningDelta():
                yield from self._think(event)
            case ToolCallDelta():
                yield from self._call(event)
            case ToolCallFinished():
                yield from self._close("completed")
            case GenerationFinished():
                yield from self._finish(event)
            case PrefillProgress() | ChoiceFinished():
                pass
            case _:
                assert_never(event)

    def fail(self, error: Exception, /) -> Iterator[ResponseStreamEvent]:
        """Takes the error that the generation ends with."""
        facts = error_object(error)["error"]
        yield from self._close("incomplete")
        self.response["status"] = "failed"
        self.response["error"] = ResponseErrorFacts(code="server_error", message=facts["message"])
        yield self._state("response.failed")
        # OpenAI's clients raise what has a field `error`; their event of this name has the facts beside each other.
        yield ResponseErrorEvent(
            type="error",
            sequence_number=next(self._numbers),
            code=facts["code"],
            message=facts["message"],
            param=facts["param"],
            error=facts,
        )

    def cancel(self) -> Iterator[ResponseStreamEvent]:
        """Takes the news that nobody wants the rest."""
        yield from self._close("incomplete")
        self.response["status"] = "cancelled"
        yield self._state("response.incomplete")  # OpenAI has no event of its own for this

    def _begin(self, started: GenerationStarted) -> Iterator[ResponseStreamEvent]:
        self.response = response_begun(
            self._body,
            self._request,
            model=started.model,
            created_s=started.created_s,
            warnings=[*started.warnings, *self._body.warnings],
        )
        yield self._state("response.created")
        yield self._state("response.in_progress")

    def _say(self, delta: TextDelta) -> Iterator[ResponseStreamEvent]:
        message = self._open
        if not isinstance(message, OpenMessage):
            message = OpenMessage(self._next_place())
            yield from self._begin_item(message)
        yield message.add(delta.text, delta.logprobs)

    def _think(self, delta: ReasoningDelta) -> Iterator[ResponseStreamEvent]:
        thoughts = self._open
        if not isinstance(thoughts, OpenReasoning):
            thoughts = OpenReasoning(self._next_place())
            yield from self._begin_item(thoughts)
        yield thoughts.add(delta.text)

    def _call(self, delta: ToolCallDelta) -> Iterator[ResponseStreamEvent]:
        call = self._open
        if not isinstance(call, OpenFunctionCall):
            call = OpenFunctionCall(self._next_place(), call_id=delta.id, name=delta.name)
            yield from self._begin_item(call)
        else:
            yield call.add(delta.arguments)

    def _next_place(self) -> ItemPlace:
        index = len(self.response["output"]) + (self._open is not None)
        return ItemPlace(response_id=self.response["id"], output_index=index, numbers=self._numbers)

    def _begin_item(self, item: OpenItem) -> Iterator[ResponseStreamEvent]:
        # A call that is not finished when something else begins was given up.
        yield from self._close("incomplete" if isinstance(self._open, OpenFunctionCall) else "completed")
        self._open = item
        yield from item.begin()

    def _close(self, status: ItemStatus) -> Iterator[ResponseStreamEvent]:
        if self._open is not None:
            yield from self._open.end(status)
            self.response["output"].append(self._open.item(status))
            self._open = None

    def _finish(self, finished: GenerationFinished) -> Iterator[ResponseStreamEvent]:
        if self._open is None and not self.response["output"]:
            # Clients look for a message, be it an empty one.
            yield from self._begin_item(OpenMessage(self._next_place()))
        is_whole = finished.finish_reason in _WHOLE and finished.detail is None
        yield from self._close("completed" if is_whole else "incomplete")
        self.response["usage"] = usage_object(finished.usage)
        if is_whole:
            self.response["status"] = "completed"
            self.response["completed_at"] = int(self._now_s())
            yield self._state("response.completed")
        else:
            self._tell_what_is_missing(finished)
            yield self._state("response.incomplete")

    def _tell_what_is_missing(self, finished: GenerationFinished) -> None:
        self.response["status"] = "incomplete"
        if finished.finish_reason is FinishReason.LENGTH:
            self.response["incomplete_details"] = IncompleteDetails(reason="max_output_tokens")
        if finished.detail is not None:
            self.response["warnings"] = [*self.response.get("warnings", ()), finished.detail]

    def _state(self, kind: ResponseStateKind) -> ResponseStateEvent:
        return ResponseStateEvent(type=kind, sequence_number=next(self._numbers), response=self.response)


def frame_of(event: ResponseStreamEvent, /) -> bytes:
    """Encodes an event."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), to_json(event))


def frames_after(frames: bytes, number: int, /) -> bytes:
    """Returns the frames of a stream, of which each is an event, that follow an event.

    Args:
        frames: The whole stream.
        number: The event's number; -1 stands before the first.
    """
    return b"".join(frame + _FRAME_END for frame in frames.split(_FRAME_END)[number + 1 : -1])
