"""What a model says, as items of a response."""

from typing import Any, Literal

from typing_extensions import TypedDict

from cortex_entrypoints.http.openai.logprob_objects import ContentLogprob

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(TypedDict):
    """A text of the model's."""

    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[ContentLogprob]


class ReasoningText(TypedDict):
    """What the model thinks before it answers."""

    type: Literal["reasoning_text"]
    text: str


class OutputMessage(TypedDict):
    """The model's turn of the conversation."""

    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["assistant"]
    content: list[OutputText]


class ReasoningItem(TypedDict):
    """What the model thought. Nobody summarises it."""

    id: str
    type: Literal["reasoning"]
    status: ItemStatus
    summary: list[Any]
    content: list[ReasoningText]


class FunctionCall(TypedDict):
    """The model's wish that a function be called; `arguments` is the JSON text of an object."""

    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


OutputContent = OutputText | ReasoningText
OutputItem = OutputMessage | ReasoningItem | FunctionCall
