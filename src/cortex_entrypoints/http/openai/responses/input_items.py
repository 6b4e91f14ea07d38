"""What a response is asked for: items that say something, or stand for one that is stored.

An item keeps the form in which it came, because it is stored and given back in it.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter, ValidationInfo
from pydantic_core import to_json

from cortex_domain.messages import ContentPart, Message, ReasoningPart, Role, ToolCallPart, ToolResultPart
from cortex_domain.stored_responses import StoredItem
from cortex_entrypoints.http.openai.responses.contents import ContentBody, InputTextBody
from cortex_entrypoints.http.request_bodies import MAX_PARTS
from cortex_entrypoints.http.strict_body import Body
from cortex_entrypoints.http.tool_bodies import CallId

_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
_KINDS: Final = ("message", "function_call", "function_call_output", "reasoning", "item_reference")

ItemId = Annotated[str, Field(min_length=1, max_length=200)]


class SpokenItemBody(Body, ABC):
    """An item that says something itself.

    Attributes:
        id_prefix: How ids of its kind begin.
    """

    id_prefix: ClassVar[str]

    id: ItemId | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None

    @property
    @abstractmethod
    def speaker(self) -> Role:
        """Who says it."""

    @abstractmethod
    def parts(self) -> tuple[ContentPart, ...]:
        """Builds what is said.

        Raises:
            InvalidRequestError: It cannot be understood.
        """

    @abstractmethod
    def joins(self, message: Message, /) -> bool:
        """Tells whether it is part of the turn that a message begins."""

    def to_stored(self) -> StoredItem:
        """Builds what is kept of it; an item without an id gets one."""
        item_id = self.id or f"{self.id_prefix}_{uuid.uuid4().hex}"
        fields = {**self.model_dump(exclude_none=True), "id": item_id, "status": self.status or "completed"}
        return StoredItem(id=item_id, content=to_json(fields))


def _as_contents(value: object, info: ValidationInfo) -> object:
    """A text is a list of one part."""
    if not isinstance(value, str):
        return value
    return [{"type": "output_text" if info.data.get("role") == "assistant" else "input_text", "text": value}]


class MessageItemBody(SpokenItemBody):
    """What somebody says."""

    id_prefix: ClassVar[str] = "msg"

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        list[ContentBody],
        BeforeValidator(_as_contents, json_schema_input_type=str | list[ContentBody]),
        Field(min_length=1, max_length=MAX_PARTS),
    ]
    phase: Literal["commentary", "final_answer"] | None = None

    @property
    def speaker(self) -> Role:
        """Who says it."""
        return _ROLES[self.role]

    def parts(self) -> tuple[ContentPart, ...]:
        """Builds what is said.

        Raises:
            InvalidRequestError: A picture is not in its URL.
        """
        return tuple(content.to_domain() for content in self.content)

    def joins(self, message: Message, /) -> bool:
        """Tells whether it is what the model said after it thought."""
        return message.role is self.speaker and _is_thought(message)


class SummaryBody(Body):
    """A part of what a model thought, or a summary of it."""

    type: Literal["summary_text", "reasoning_text"]
    text: str


class ReasoningItemBody(SpokenItemBody):
    """What a model thought for an earlier answer. What is encrypted elsewhere says nothing here."""

    id_prefix: ClassVar[str] = "rs"

    type: Literal["reasoning"]
    summary: Annotated[list[SummaryBody], Field(default_factory=list)]
    content: list[SummaryBody] | None = None
    encrypted_content: str | None = None

    @property
    def speaker(self) -> Role:
        """The model."""
        return Role.ASSISTANT

    def parts(self) -> tuple[ContentPart, ...]:
        """Builds what was thought, or what is known of it."""
        texts = self.content or self.summary
        return (ReasoningPart(text="\n".join(part.text for part in texts)),) if texts else ()

    def joins(self, message: Message, /) -> bool:  # noqa: ARG002
        """Begins a turn of its own."""
        return False


class FunctionCallBody(SpokenItemBody):
    """A function call that the model made."""

    id_prefix: ClassVar[str] = "fc"

    type: Literal["function_call"]
    call_id: CallId
    name: Annotated[str, Field(min_length=1)]
    arguments: Annotated[str, Field(description="JSON text of an object.", examples=['{"city": "Rome"}'])]
    namespace: None = None
    caller: Annotated[dict[str, Any], Field(description="Changes nothing.")] | None = None

    @property
    def speaker(self) -> Role:
        """The model."""
        return Role.ASSISTANT

    def parts(self) -> tuple[ContentPart, ...]:
        """Builds the call."""
        return (ToolCallPart(id=self.call_id, name=self.name, arguments=self.arguments),)

    def joins(self, message: Message, /) -> bool:
        """Tells whether it is part of what the model said before."""
        return message.role is Role.ASSISTANT


def _output_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<parts>" if isinstance(value, list) else None


class FunctionCallOutputBody(SpokenItemBody):
    """What came of a function call."""

    id_prefix: ClassVar[str] = "fco"

    type: Literal["function_call_output"]
    call_id: CallId
    output: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[list[InputTextBody], Field(max_length=MAX_PARTS), Tag("<parts>")],
        Discriminator(
            _output_tag,
            custom_error_type="output_type",
            custom_error_message="Input should be a string or a list of input_text",
        ),
    ]
    name: str | None = None
    namespace: None = None
    caller: Annotated[dict[str, Any], Field(description="Changes nothing.")] | None = None

    @property
    def speaker(self) -> Role:
        """The tool."""
        return Role.TOOL

    def parts(self) -> tuple[ContentPart, ...]:
        """Builds the result."""
        text = self.output if isinstance(self.output, str) else "".join(part.text for part in self.output)
        return (ToolResultPart(call_id=self.call_id, text=text),)

    def joins(self, message: Message, /) -> bool:  # noqa: ARG002
        """Stands alone."""
        return False


class ItemReferenceBody(Body):
    """An item of a response that is stored."""

    type: Literal["item_reference"] | None = None
    id: ItemId


SpokenItem = MessageItemBody | FunctionCallBody | FunctionCallOutputBody | ReasoningItemBody


def _tag(value: object) -> str | None:
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    if kind is None:
        kind = "message" if "role" in value else "item_reference"
    return f"<{kind}>" if kind in _KINDS else None


ItemBody = Annotated[
    Annotated[MessageItemBody, Tag("<message>")]
    | Annotated[FunctionCallBody, Tag("<function_call>")]
    | Annotated[FunctionCallOutputBody, Tag("<function_call_output>")]
    | Annotated[ReasoningItemBody, Tag("<reasoning>")]
    | Annotated[ItemReferenceBody, Tag("<item_reference>")],
    Discriminator(
        _tag,
        custom_error_type="item_type",
        custom_error_message=f"Input should be an object whose type is one of {', '.join(_KINDS)}",
    ),
]

_SPOKEN: TypeAdapter[SpokenItem] = TypeAdapter(Annotated[SpokenItem, Field(discriminator="type")])


def spoken_again(stored: StoredItem, /) -> SpokenItem:
    """Reads an item that was stored."""
    return _SPOKEN.validate_json(stored.content)


def messages_of(items: Iterable[SpokenItem], /) -> tuple[Message, ...]:
    """Builds the messages that items say together.

    What a model thought and what it said then is one message. Thoughts that nothing follows are left out: no template
    has a place for them.

    Raises:
        InvalidRequestError: An item cannot be understood.
    """
    messages: list[Message] = []
    for item in items:
        parts = item.parts()
        if messages and item.joins(messages[-1]):
            messages[-1] = replace(messages[-1], parts=messages[-1].parts + parts)
        elif parts:
            messages.append(Message(role=item.speaker, parts=parts))
    return tuple(message for message in messages if not _is_thought(message))


def _is_thought(message: Message) -> bool:
    return all(isinstance(part, ReasoningPart) for part in message.parts)
