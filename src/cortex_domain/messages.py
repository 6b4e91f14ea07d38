"""What is said in a chat: messages made of parts."""

from dataclasses import dataclass
from enum import StrEnum

from cortex_domain.errors import InvalidRequestError


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """Plain text.

    Attributes:
        text: Any Unicode text without lone surrogates; may be empty.
    """

    text: str

    def __post_init__(self) -> None:
        _require_unicode(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """A picture.

    Attributes:
        data: The encoded file, at least one byte.
        media_type: Its MIME type, for example `image/png`.
    """

    data: bytes
    media_type: str

    def __post_init__(self) -> None:
        _require_media(self.data, self.media_type, family="image/")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPart:
    """A sound.

    Attributes:
        data: The encoded file, at least one byte.
        media_type: Its MIME type, for example `audio/wav`.
    """

    data: bytes
    media_type: str

    def __post_init__(self) -> None:
        _require_media(self.data, self.media_type, family="audio/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningPart:
    """What an assistant thought before it answered; only assistants have such parts.

    It goes back to the model as its family wants it: most are given what they thought since the last user message, or
    nothing at all, whatever is sent.

    Attributes:
        text: Any Unicode text without lone surrogates; may be empty.
    """

    text: str

    def __post_init__(self) -> None:
        _require_unicode(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallPart:
    """A model's wish that a tool be used.

    Attributes:
        id: Names the call within its chat; not empty.
        name: The tool; not empty.
        arguments: JSON text of an object, as the model wrote it; anything else when the model made a mistake.
    """

    id: str
    name: str
    arguments: str

    def __post_init__(self) -> None:
        if not self.id or not self.name:
            raise InvalidRequestError("A tool call needs an id and the name of a tool.", parameter="messages")
        for text in (self.id, self.name, self.arguments):
            _require_unicode(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResultPart:
    """What came of a tool call.

    Attributes:
        call_id: The call's id.
        text: What the tool returned, or why it failed; may be empty.
        is_error: Whether it failed.
    """

    call_id: str
    text: str
    is_error: bool = False

    def __post_init__(self) -> None:
        for text in (self.call_id, self.text):
            _require_unicode(text)


ContentPart = TextPart | ImagePart | AudioPart | ReasoningPart | ToolCallPart | ToolResultPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a chat.

    Attributes:
        role: Who speaks.
        parts: What is said, in order; at least one part. Tool calls are said by the assistant, their results by the
            tool, which says nothing else.
    """

    role: Role
    parts: tuple[ContentPart, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise InvalidRequestError("A message needs at least one part.", parameter="messages")
        if self.role is not Role.ASSISTANT and any(isinstance(part, ReasoningPart) for part in self.parts):
            raise InvalidRequestError("Only an assistant message has reasoning.", parameter="messages")
        results = [isinstance(part, ToolResultPart) for part in self.parts]
        if any(results) != (self.role is Role.TOOL) or any(results) != all(results):
            raise InvalidRequestError(
                "The role 'tool' says results of tool calls, and nothing else; other roles say none.",
                parameter="messages",
            )
        if self.tool_calls and self.role is not Role.ASSISTANT:
            raise InvalidRequestError("Only the assistant makes tool calls.", parameter="messages")

    @property
    def text(self) -> str:
        """The text parts joined without a separator; other parts are left out."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def reasoning(self) -> str:
        """The reasoning parts joined without a separator; other parts are left out."""
        return "".join(part.text for part in self.parts if isinstance(part, ReasoningPart))

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCallPart))

    @property
    def tool_results(self) -> tuple[ToolResultPart, ...]:
        """The results of tool calls, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolResultPart))


def system_message(text: str, /) -> Message:
    """Builds a system message of one text part."""
    return Message(role=Role.SYSTEM, parts=(TextPart(text=text),))


def user_message(text: str, /) -> Message:
    """Builds a user message of one text part."""
    return Message(role=Role.USER, parts=(TextPart(text=text),))


def assistant_message(text: str, /) -> Message:
    """Builds an assistant message of one text part."""
    return Message(role=Role.ASSISTANT, parts=(TextPart(text=text),))


def tool_message(call_id: str, text: str, /) -> Message:
    """Builds the message that says what came of one tool call."""
    return Message(role=Role.TOOL, parts=(ToolResultPart(call_id=call_id, text=text),))


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(
            "A text holds a lone surrogate, which is not valid Unicode. Send whole characters.", parameter="messages"
        ) from None


def _require_media(data: bytes, media_type: str, *, family: str) -> None:
    if not data:
        raise InvalidRequestError("An image or audio part holds no bytes.", parameter="messages")
    if not media_type.startswith(family):
        raise InvalidRequestError(
            f"The media type {media_type!r} does not start with {family!r}.", parameter="messages"
        )
