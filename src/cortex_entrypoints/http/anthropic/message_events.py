"""The events of a generation as those of Anthropic's message streams. Pure: no request, no clock, no I/O."""

from collections.abc import Iterator
from typing import Any, Literal, NotRequired, assert_never

from pydantic_core import to_json
from typing_extensions import TypedDict

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
from cortex_domain.generation import TokenUsage
from cortex_entrypoints.http.anthropic.content_stream import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    ContentStream,
)
from cortex_entrypoints.http.anthropic.error_objects import AnthropicError
from cortex_entrypoints.http.anthropic.message_objects import (
    AnswerOptions,
    MessageObject,
    MessageUsage,
    StopReason,
    stop_reason,
    usage_object,
)


class MessageStart(TypedDict):
    """The message, without content yet; what was reused of the prompt is known at the end."""

    type: Literal["message_start"]
    message: MessageObject


class Ping(TypedDict):
    """Keeps the connection from looking dead."""

    type: Literal["ping"]


class MessageEnding(TypedDict):
    """Why the answer ended."""

    stop_reason: StopReason
    stop_sequence: str | None


class MessageDelta(TypedDict):
    """The answer is complete; its usage replaces what the first event told. `warnings` is an addition."""

    type: Literal["message_delta"]
    delta: MessageEnding
    usage: MessageUsage
    warnings: NotRequired[list[str]]


class MessageStop(TypedDict):
    """Nothing follows."""

    type: Literal["message_stop"]


MessageStreamEvent = (
    MessageStart
    | Ping
    | ContentBlockStart
    | ContentBlockDelta
    | ContentBlockStop
    | MessageDelta
    | MessageStop
    | AnthropicError
)


class MessageFrames:
    """Turns the events of a generation into frames of server-sent events.

    Args:
        options: What the request says of how it is answered.
    """

    def __init__(self, options: AnswerOptions, /) -> None:
        self._options = options
        self._content = ContentStream(shows_thinking=options.shows_thinking)

    def encode(self, event: GenerationEvent, /) -> bytes:
        """Encodes the next event; the last one ends the stream."""
        return b"".join(map(_frame, self._events(event)))

    def _events(self, event: GenerationEvent) -> Iterator[Any]:
        match event:
            case GenerationStarted():
                yield self._start(event)
            case PrefillProgress():
                yield Ping(type="ping")
            case TextDelta() | ReasoningDelta() | ToolCallDelta():
                yield from self._content.take(event)
            case ToolCallFinished() | ChoiceFinished():
                pass  # the deltas were all of a call; there is one choice
            case GenerationFinished():
                yield from self._content.close()
                yield self._end(event)
                yield MessageStop(type="message_stop")
            case _:
                assert_never(event)

    def _start(self, started: GenerationStarted) -> MessageStart:
        message = MessageObject(
            id=started.generation_id,
            type="message",
            role="assistant",
            model=started.model,
            content=[],
            stop_reason=None,
            stop_sequence=None,
            usage=usage_object(TokenUsage(prompt_tokens=started.prompt_tokens, completion_tokens=0)),
        )
        if warnings := [*started.warnings, *self._options.warnings]:
            message["warnings"] = warnings
        return MessageStart(type="message_start", message=message)

    def _end(self, finished: GenerationFinished) -> MessageDelta:
        reason = stop_reason(
            finished.finish_reason, finished.stop_text, finished.usage, max_tokens=self._options.max_tokens
        )
        ending = MessageEnding(stop_reason=reason, stop_sequence=finished.stop_text)
        delta = MessageDelta(type="message_delta", delta=ending, usage=usage_object(finished.usage))
        if finished.detail is not None:
            delta["warnings"] = [finished.detail]
        return delta


def _frame(event: Any) -> bytes:  # noqa: ANN401 - any of the dictionaries above
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), to_json(event))
