"""The content blocks of one answer as they come: opened, continued, closed. Pure: no request, no clock, no I/O."""

from collections.abc import Iterator
from typing import Literal, assert_never

from typing_extensions import TypedDict

from cortex_domain.events import ReasoningDelta, TextDelta, ToolCallDelta
from cortex_entrypoints.http.anthropic.message_objects import (
    UNSIGNED,
    ContentBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)


class ContentBlockStart(TypedDict):
    """A block begins, with nothing in it yet."""

    type: Literal["content_block_start"]
    index: int
    content_block: ContentBlock


class TextPiece(TypedDict):
    """The next piece of a text."""

    type: Literal["text_delta"]
    text: str


class ThinkingPiece(TypedDict):
    """The next piece of what the model thinks."""

    type: Literal["thinking_delta"]
    thinking: str


class SignaturePiece(TypedDict):
    """Ends what the model thought."""

    type: Literal["signature_delta"]
    signature: str


class InputPiece(TypedDict):
    """The next piece of a tool call's input; together they are the JSON text of an object."""

    type: Literal["input_json_delta"]
    partial_json: str


BlockPiece = TextPiece | ThinkingPiece | SignaturePiece | InputPiece


class ContentBlockDelta(TypedDict):
    """A block goes on."""

    type: Literal["content_block_delta"]
    index: int
    delta: BlockPiece


class ContentBlockStop(TypedDict):
    """A block is complete."""

    type: Literal["content_block_stop"]
    index: int


ContentEvent = ContentBlockStart | ContentBlockDelta | ContentBlockStop


class ContentStream:
    """Numbers the blocks of one answer; one is open at a time.

    Args:
        shows_thinking: Whether what the model thinks is told.
    """

    def __init__(self, *, shows_thinking: bool) -> None:
        self._shows_thinking = shows_thinking
        self._index = -1
        self._open: str | int | None = None

    def take(self, delta: TextDelta | ReasoningDelta | ToolCallDelta, /) -> Iterator[ContentEvent]:
        """Tells the next piece, in the open block or in one that is opened for it."""
        match delta:
            case TextDelta():
                block = TextBlock(type="text", text="", citations=None)
                yield from self._continue("text", block, TextPiece(type="text_delta", text=delta.text))
            case ReasoningDelta():
                if self._shows_thinking:
                    thought = ThinkingBlock(type="thinking", thinking="", signature="")
                    piece = ThinkingPiece(type="thinking_delta", thinking=delta.text)
                    yield from self._continue("thinking", thought, piece)
            case ToolCallDelta():
                call = ToolUseBlock(type="tool_use", id=delta.id, name=delta.name, input={})
                arguments = InputPiece(type="input_json_delta", partial_json=delta.arguments)
                yield from self._continue(delta.index, call, arguments)
            case _:
                assert_never(delta)

    def close(self) -> Iterator[ContentEvent]:
        """Ends the block that is open, if one is."""
        if self._open == "thinking":
            yield self._delta(SignaturePiece(type="signature_delta", signature=UNSIGNED))
        if self._open is not None:
            yield ContentBlockStop(type="content_block_stop", index=self._index)
        self._open = None

    def _continue(self, name: str | int, block: ContentBlock, piece: BlockPiece) -> Iterator[ContentEvent]:
        if name != self._open:
            yield from self.close()
            self._open = name
            self._index += 1
            yield ContentBlockStart(type="content_block_start", index=self._index, content_block=block)
        yield self._delta(piece)

    def _delta(self, piece: BlockPiece) -> ContentBlockDelta:
        return ContentBlockDelta(type="content_block_delta", index=self._index, delta=piece)
