"""The domain's events as those of a response. Pure: no request and no I/O."""

import itertools
from collections.abc import Callable, Iterator
from typing import assert_never

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
from cortex_entrypoints.http.openai.responses.open_items import OpenItem, OpenMessage, OpenReasoning
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
        return b"".join(map(_frame, self.take(event)))

    def encode_error(self, error: Exception, /) -> bytes:
        """Encodes the error that the stream ends with."""
        return b"".join(map(_frame, self._fail(error)))

    def take(self, event: GenerationEvent, /) -> Iterator[ResponseStreamEvent]:
        """Takes the generation's next event and returns what it means for the response."""
        match event:
            case GenerationStarted():
                yield from self._begin(event)
            case TextDelta():
                yield from self._say(OpenMessage, event.text)
            case ReasoningDelta():
                yield from self._say(OpenReasoning, event.text)
            case GenerationFinished():
                yield from self._finish(event)
            case PrefillProgress() | ChoiceFinished() | ToolCallDelta() | ToolCallFinished():
                pass  # a response has one answer, and tools are refused
            case _:
                assert_never(event)

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

    def _say(self, kind: type[OpenItem], piece: str) -> Iterator[ResponseStreamEvent]:
        if not isinstance(self._open, kind):
            yield from self._close("completed")
            yield from self._begin_item(kind)
        assert self._open is not None
        yield from self._open.add(piece)

    def _begin_item(self, kind: type[OpenItem]) -> Iterator[ResponseStreamEvent]:
        index = len(self.response["output"])
        # Named by the response and the place, so that whoever tells the response again names its items alike.
        item_id = f"{kind.id_prefix}_{self.response['id'].removeprefix('resp_')}_{index}"
        self._open = kind(item_id, index, self._numbers)
        yield from self._open.begin()

    def _close(self, status: ItemStatus) -> Iterator[ResponseStreamEvent]:
        if self._open is not None:
            yield from self._open.end(status)
            self.response["output"].append(self._open.item(status))
            self._open = None

    def _finish(self, finished: GenerationFinished) -> Iterator[ResponseStreamEvent]:
        if self._open is None and not self.response["output"]:
            yield from self._begin_item(OpenMessage)  # clients look for a message, be it an empty one
        is_whole = finished.finish_reason is FinishReason.STOP
        yield from self._close("completed" if is_whole else "incomplete")
        self.response["usage"] = usage_object(finished.usage)
        if is_whole:
            self.response["status"] = "completed"
            self.response["completed_at"] = int(self._now_s())
            yield self._state("response.completed")
            return
        self.response["status"] = "incomplete"
        if finished.finish_reason is FinishReason.LENGTH:
            self.response["incomplete_details"] = IncompleteDetails(reason="max_output_tokens")
        yield self._state("response.incomplete")

    def _fail(self, error: Exception) -> Iterator[ResponseStreamEvent]:
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

    def _state(self, kind: ResponseStateKind) -> ResponseStateEvent:
        return ResponseStateEvent(type=kind, sequence_number=next(self._numbers), response=self.response)


def _frame(event: ResponseStreamEvent) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), to_json(event))
