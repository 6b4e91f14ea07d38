"""The events of a response's stream. Each has its number, counted from 0."""

from typing import Literal

from typing_extensions import TypedDict

from cortex_entrypoints.http.openai.error_objects import OpenAiErrorFacts
from cortex_entrypoints.http.openai.logprob_objects import ContentLogprob
from cortex_entrypoints.http.openai.responses.output_items import OutputContent, OutputItem
from cortex_entrypoints.http.openai.responses.response_object import ResponseObject

ResponseStateKind = Literal[
    "response.created",
    "response.in_progress",
    "response.completed",
    "response.incomplete",
    "response.failed",
]
OutputItemKind = Literal["response.output_item.added", "response.output_item.done"]
ContentPartKind = Literal["response.content_part.added", "response.content_part.done"]


class ResponseStateEvent(TypedDict):
    """How far the response is, as a whole; the first two and the last event of a stream are such."""

    type: ResponseStateKind
    sequence_number: int
    response: ResponseObject


class OutputItemEvent(TypedDict):
    """An item begins, or is complete."""

    type: OutputItemKind
    sequence_number: int
    output_index: int
    item: OutputItem


class ContentPartEvent(TypedDict):
    """A part of a message begins, or is complete."""

    type: ContentPartKind
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    part: OutputContent


class TextDeltaEvent(TypedDict):
    """The next piece of a text."""

    type: Literal["response.output_text.delta"]
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    delta: str
    logprobs: list[ContentLogprob]


class TextDoneEvent(TypedDict):
    """A text is complete."""

    type: Literal["response.output_text.done"]
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    text: str
    logprobs: list[ContentLogprob]


class ReasoningDeltaEvent(TypedDict):
    """The next piece of what the model thinks."""

    type: Literal["response.reasoning_text.delta"]
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    delta: str


class ReasoningDoneEvent(TypedDict):
    """What the model thought is complete."""

    type: Literal["response.reasoning_text.done"]
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    text: str


class ArgumentsDeltaEvent(TypedDict):
    """The next piece of a function call's arguments."""

    type: Literal["response.function_call_arguments.delta"]
    sequence_number: int
    item_id: str
    output_index: int
    delta: str


class ArgumentsDoneEvent(TypedDict):
    """A function call's arguments are complete."""

    type: Literal["response.function_call_arguments.done"]
    sequence_number: int
    item_id: str
    output_index: int
    name: str
    arguments: str


class ResponseErrorEvent(TypedDict):
    """What went wrong; the last event of a stream that fails. Clients raise it."""

    type: Literal["error"]
    sequence_number: int
    code: str
    message: str
    param: str | None
    error: OpenAiErrorFacts


ResponseStreamEvent = (
    ResponseStateEvent
    | OutputItemEvent
    | ContentPartEvent
    | TextDeltaEvent
    | TextDoneEvent
    | ReasoningDeltaEvent
    | ReasoningDoneEvent
    | ArgumentsDeltaEvent
    | ArgumentsDoneEvent
    | ResponseErrorEvent
)
