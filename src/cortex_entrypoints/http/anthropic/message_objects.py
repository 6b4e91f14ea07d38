"""The domain's answers as Anthropic's message objects. Pure: no request, no clock, no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, assert_never

from pydantic_core import from_json
from typing_extensions import TypedDict

from cortex_domain.generation import Choice, FinishReason, GenerationResult, TokenUsage
from cortex_domain.messages import ToolCallPart

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "model_context_window_exceeded"]

UNSIGNED = "unsigned"
"""Signature of what was thought here; clients want one, and nobody looks at it."""


class TextBlock(TypedDict):
    """A piece of the answer."""

    type: Literal["text"]
    text: str
    citations: None


class ThinkingBlock(TypedDict):
    """What the model thought before it answered."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class ToolUseBlock(TypedDict):
    """A tool call."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


ContentBlock = TextBlock | ThinkingBlock | ToolUseBlock


class OutputTokensDetails(TypedDict):
    """What the answer's tokens were."""

    thinking_tokens: int


class MessageUsage(TypedDict):
    """Tokens read and written; what was reused of a prompt is told apart from its other tokens, as Anthropic does."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: OutputTokensDetails


class MessageObject(TypedDict):
    """A whole answer. `warnings` is an addition: what was done otherwise than asked, one sentence each."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[ContentBlock]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: MessageUsage
    warnings: NotRequired[list[str]]


class TokenCount(TypedDict):
    """How long a prompt is."""

    input_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """What the request says of how it is answered.

    Attributes:
        max_tokens: Longest answer that was asked for, in tokens.
        shows_thinking: Whether the answer has what the model thought.
        warnings: What the dialect does otherwise than asked, besides the answer's own warnings.
    """

    max_tokens: int
    shows_thinking: bool = True
    warnings: tuple[str, ...] = ()


def message_object(result: GenerationResult, options: AnswerOptions, /) -> MessageObject:
    """Builds a `message`."""
    [choice] = result.choices
    message = MessageObject(
        id=result.generation_id,
        type="message",
        role="assistant",
        model=result.model,
        content=list(_content(choice, shows_thinking=options.shows_thinking)),
        stop_reason=stop_reason(choice.finish_reason, choice.stop_text, result.usage, max_tokens=options.max_tokens),
        stop_sequence=choice.stop_text,
        usage=usage_object(result.usage),
    )
    if all_warnings := [*result.warnings, *options.warnings, *([choice.detail] if choice.detail else ())]:
        message["warnings"] = all_warnings
    return message


def _content(choice: Choice, *, shows_thinking: bool) -> Iterator[ContentBlock]:
    if choice.reasoning and shows_thinking:
        yield ThinkingBlock(type="thinking", thinking=choice.reasoning, signature=UNSIGNED)
    if choice.text:
        yield TextBlock(type="text", text=choice.text, citations=None)
    for call in choice.tool_calls:
        yield ToolUseBlock(type="tool_use", id=call.id, name=call.name, input=_input_of(call))


def _input_of(call: ToolCallPart) -> dict[str, Any]:
    """Reads the arguments, as far as they go when the call was cut; what is no object has no fields."""
    try:
        value = from_json(call.arguments, allow_partial="trailing-strings")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def stop_reason(reason: FinishReason, stop_text: str | None, usage: TokenUsage, /, *, max_tokens: int) -> StopReason:
    """Tells why an answer ended in the words of this dialect.

    Args:
        reason: Why it ended.
        stop_text: The stop text that did it, if any.
        usage: What it took.
        max_tokens: Longest answer that was asked for, in tokens; the window may have held less.
    """
    match reason:
        case FinishReason.LENGTH:
            return "max_tokens" if usage.completion_tokens >= max_tokens else "model_context_window_exceeded"
        case FinishReason.TOOL_CALLS:
            return "tool_use"
        case FinishReason.STOP | FinishReason.CANCELLED:
            # Who cancelled an answer does not wait for its end.
            return "end_turn" if stop_text is None else "stop_sequence"
        case _:
            assert_never(reason)


def usage_object(usage: TokenUsage, /) -> MessageUsage:
    """Builds a `usage`."""
    return MessageUsage(
        input_tokens=usage.prompt_tokens - usage.cached_prompt_tokens,
        cache_creation_input_tokens=0,
        cache_read_input_tokens=usage.cached_prompt_tokens,
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(thinking_tokens=usage.reasoning_tokens),
    )
