"""Content blocks as Anthropic's messages hold them."""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from cortex_domain.messages import ImagePart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from cortex_entrypoints.http.request_bodies import MAX_PARTS, FileBytes
from cortex_entrypoints.http.strict_body import Body
from cortex_entrypoints.http.tool_bodies import CallId, ToolName

CacheControl = Annotated[
    dict[str, Any],
    Field(description="Taken; what was computed is reused without being told, from the first token that is the same."),
]


class TextBlockBody(Body):
    """Plain text."""

    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None
    citations: Annotated[list[Any], Field(max_length=0)] | None = None

    def to_domain(self) -> TextPart:
        """Builds the part."""
        return TextPart(text=self.text)


class ImageSourceBody(Body):
    """A picture in the request itself: a server that fetches URLs for strangers can be turned inward."""

    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: FileBytes


class ImageBlockBody(Body):
    """A picture, for models that list the capability `image_input`."""

    type: Literal["image"]
    source: ImageSourceBody
    cache_control: CacheControl | None = None

    def to_domain(self) -> ImagePart:
        """Builds the part."""
        return ImagePart(data=self.source.data, media_type=self.source.media_type)


class ThinkingBlockBody(Body):
    """What the assistant thought before; its signature is not looked at."""

    type: Literal["thinking"]
    thinking: str
    signature: str

    def to_domain(self) -> ReasoningPart:
        """Builds the part."""
        return ReasoningPart(text=self.thinking)


class RedactedThinkingBlockBody(Body):
    """What an assistant elsewhere thought and nobody here can read; it is left out."""

    type: Literal["redacted_thinking"]
    data: str

    def to_domain(self) -> ReasoningPart:
        """Builds a part that says nothing."""
        return ReasoningPart(text="")


class DirectCallerBody(Body):
    """The model itself made the call."""

    type: Literal["direct"]


class ToolUseBlockBody(Body):
    """A tool call that the assistant made."""

    type: Literal["tool_use"]
    id: CallId
    name: ToolName
    input: dict[str, Any]
    cache_control: CacheControl | None = None
    caller: DirectCallerBody | None = None
    toolset_name: None = None

    def to_domain(self) -> ToolCallPart:
        """Builds the part."""
        arguments = json.dumps(self.input, ensure_ascii=False, separators=(",", ":"))
        return ToolCallPart(id=self.id, name=self.name, arguments=arguments)


def as_blocks(value: object) -> object:
    """A text is a list of one block."""
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


TextBlocks = Annotated[
    list[TextBlockBody],
    BeforeValidator(as_blocks, json_schema_input_type=str | list[TextBlockBody]),
    Field(max_length=MAX_PARTS),
]


class ToolResultBlockBody(Body):
    """What came of a tool call; texts only."""

    type: Literal["tool_result"]
    tool_use_id: CallId
    content: TextBlocks | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None
    toolset_name: None = None

    def to_domain(self) -> ToolResultPart:
        """Builds the part; its blocks become lines."""
        text = "\n".join(block.text for block in self.content or ())
        return ToolResultPart(call_id=self.tool_use_id, text=text, is_error=bool(self.is_error))


_KINDS: Final = ("text", "image", "thinking", "redacted_thinking", "tool_use", "tool_result")


def _block_tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"<{kind}>" if kind in _KINDS else None


ContentBlockBody = Annotated[
    Annotated[TextBlockBody, Tag("<text>")]
    | Annotated[ImageBlockBody, Tag("<image>")]
    | Annotated[ThinkingBlockBody, Tag("<thinking>")]
    | Annotated[RedactedThinkingBlockBody, Tag("<redacted_thinking>")]
    | Annotated[ToolUseBlockBody, Tag("<tool_use>")]
    | Annotated[ToolResultBlockBody, Tag("<tool_result>")],
    Discriminator(
        _block_tag,
        custom_error_type="block_type",
        custom_error_message=f"Input should be a block whose type is one of {', '.join(_KINDS)}",
    ),
]
ContentBlocks = Annotated[
    list[ContentBlockBody],
    BeforeValidator(as_blocks, json_schema_input_type=str | list[ContentBlockBody]),
    Field(min_length=1, max_length=MAX_PARTS),
]
