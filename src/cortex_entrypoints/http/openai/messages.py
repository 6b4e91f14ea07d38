"""Messages as OpenAI's chat API writes them."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic.config import JsonDict

from cortex_domain.errors import InvalidRequestError
from cortex_domain.messages import (
    AudioPart,
    ContentPart,
    ImagePart,
    Message,
    ReasoningPart,
    Role,
    TextPart,
    ToolResultPart,
)
from cortex_entrypoints.http.openai.data_urls import picture_in
from cortex_entrypoints.http.openai.tools import ToolCallBody
from cortex_entrypoints.http.request_bodies import MAX_PARTS, FileBytes, TextPartBody
from cortex_entrypoints.http.strict_body import Body
from cortex_entrypoints.http.tool_bodies import CallId

_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}


class ImageUrlBody(Body):
    """Where a picture is: in the URL itself, because a server that fetches URLs for strangers can be turned inward."""

    url: str = Field(description="`data:image/…;base64,…`")
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePartBody(Body):
    """A picture, for models that list the capability `image_input`."""

    type: Literal["image_url"]
    image_url: ImageUrlBody

    def to_domain(self) -> ImagePart:
        """Builds the part.

        Raises:
            InvalidRequestError: The picture is not in the URL.
        """
        return picture_in(self.image_url.url, field="image_url.url", parameter="messages")


class InputAudioBody(Body):
    """A sound file."""

    data: FileBytes
    format: Literal["wav", "mp3"]


class AudioPartBody(Body):
    """A sound, for models that list the capability `audio_input`."""

    type: Literal["input_audio"]
    input_audio: InputAudioBody

    def to_domain(self) -> AudioPart:
        """Builds the part."""
        media_type = "audio/mpeg" if self.input_audio.format == "mp3" else "audio/wav"
        return AudioPart(data=self.input_audio.data, media_type=media_type)


def _part_tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"<{kind}>" if kind in ("text", "image_url", "input_audio") else None


PartBody = Annotated[
    Annotated[TextPartBody, Tag("<text>")]
    | Annotated[ImagePartBody, Tag("<image_url>")]
    | Annotated[AudioPartBody, Tag("<input_audio>")],
    Discriminator(
        _part_tag,
        custom_error_type="part_type",
        custom_error_message="Input should be an object whose type is 'text', 'image_url' or 'input_audio'",
    ),
]


def _as_parts(value: object) -> object:
    """A text is a list of one part."""
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


_ROLES_WITHOUT_REASONING: Final[JsonDict] = {
    "if": {"properties": {"role": {"enum": ["system", "developer", "user", "tool"]}}},
    "then": {"properties": {"reasoning_content": {"type": "null"}}},
}


class MessageBody(Body):
    """One turn of the chat. Only the assistant has `reasoning_content` and `tool_calls`; only a tool `tool_call_id`."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_ROLES_WITHOUT_REASONING]})

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: (
        Annotated[
            list[PartBody],
            BeforeValidator(_as_parts, json_schema_input_type=str | list[PartBody]),
            Field(min_length=1, max_length=MAX_PARTS),
        ]
        | None
    ) = None
    reasoning_content: str | None = None
    name: str | None = None
    refusal: None = None
    audio: None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None
    function_call: None = None
    tool_calls: Annotated[list[ToolCallBody], Field(max_length=MAX_PARTS)] | None = None
    tool_call_id: CallId | None = None

    def to_domain(self) -> Message:
        """Builds the message.

        Raises:
            InvalidRequestError: A part is not what its role may say.
        """
        parts: tuple[ContentPart, ...] = tuple(part.to_domain() for part in self.content or ())
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise InvalidRequestError("A message has a tool_call_id when its role is 'tool'.", parameter="messages")
        if self.tool_call_id is not None:
            return Message(role=Role.TOOL, parts=(_tool_result(self.tool_call_id, parts),))
        reasoning = (ReasoningPart(text=self.reasoning_content),) if self.reasoning_content else ()
        calls = tuple(call.to_domain() for call in self.tool_calls or ())
        return Message(role=_ROLES[self.role], parts=(*reasoning, *parts, *calls))


def _tool_result(call_id: str, parts: Sequence[ContentPart]) -> ToolResultPart:
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    if not texts or len(texts) < len(parts):
        raise InvalidRequestError("What a tool returns is text.", parameter="messages")
    return ToolResultPart(call_id=call_id, text="".join(texts))
