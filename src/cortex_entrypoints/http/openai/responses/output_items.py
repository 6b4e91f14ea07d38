"""What a model says, as items of a response."""

from typing import Any, Literal

from typing_extensions import TypedDict

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(TypedDict):
    """A text of the model's."""

    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[Any]


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


OutputContent = OutputText | ReasoningText
OutputItem = OutputMessage | ReasoningItem
