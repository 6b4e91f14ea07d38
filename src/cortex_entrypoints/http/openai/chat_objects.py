"""The domain's answers as OpenAI's chat completion objects. Pure: no request, no clock, no I/O."""

from collections.abc import Iterator, Sequence
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
from cortex_domain.generation import Choice, FinishReason, GenerationResult, TokenUsage
from cortex_domain.messages import ToolCallPart
from cortex_entrypoints.http.openai.logprob_objects import ChatLogprobs, chat_logprobs

LAST_FRAME = b"data: [DONE]\n\n"

OpenAiFinishReason = Literal["stop", "length", "tool_calls"]


class PromptTokensDetails(TypedDict):
    """What the prompt's tokens were."""

    cached_tokens: int
    audio_tokens: int


class CompletionTokensDetails(TypedDict):
    """What the answer's tokens were."""

    reasoning_tokens: int
    audio_tokens: int
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int


class Usage(TypedDict):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class FunctionObject(TypedDict):
    """The function to call; `arguments` is the JSON text of an object."""

    name: str
    arguments: str


class ToolCallObject(TypedDict):
    """A tool call."""

    id: str
    type: Literal["function"]
    function: FunctionObject


class CompletionMessage(TypedDict):
    """The assistant's turn; `content` is null when it consists of tool calls.

    `reasoning_content`, what a model thought before, is an addition; many servers have it.
    """

    role: Literal["assistant"]
    content: str | None
    reasoning_content: NotRequired[str]
    refusal: None
    annotations: list[Any]
    tool_calls: NotRequired[list[ToolCallObject]]


class CompletionChoice(TypedDict):
    """One answer."""

    index: int
    message: CompletionMessage
    logprobs: ChatLogprobs | None
    finish_reason: OpenAiFinishReason


class ChatCompletionObject(TypedDict):
    """A whole answer. `warnings` is an addition: what was done otherwise than asked, one sentence each."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage
    warnings: NotRequired[list[str]]


class FunctionDelta(TypedDict, total=False):
    """What comes next of a function call; the name comes once."""

    name: str
    arguments: str


class ToolCallChunk(TypedDict):
    """What comes next of a tool call; id and type come once."""

    index: int
    id: NotRequired[str]
    type: NotRequired[Literal["function"]]
    function: FunctionDelta


class ChunkDelta(TypedDict, total=False):
    """What comes next. Clients append texts, so the role comes once."""

    role: Literal["assistant"]
    content: str | None
    reasoning_content: str
    refusal: None
    tool_calls: list[ToolCallChunk]


class ChunkChoice(TypedDict):
    """The next piece of one answer."""

    index: int
    delta: ChunkDelta
    logprobs: ChatLogprobs | None
    finish_reason: OpenAiFinishReason | None


class ChatCompletionChunk(TypedDict):
    """A piece of an answer; the last one, where usage was asked for, has no choices. `warnings` is an addition."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: NotRequired[Usage | None]
    warnings: NotRequired[list[str]]


def completion_object(
    result: GenerationResult, /, *, tells_tokens: bool, warnings: Sequence[str]
) -> ChatCompletionObject:
    """Builds a `chat.completion`.

    Args:
        result: The answer.
        tells_tokens: Whether its log-probabilities were asked for.
        warnings: What the dialect did otherwise than asked, besides the answer's own warnings.
    """
    completion = ChatCompletionObject(
        id=result.generation_id,
        object="chat.completion",
        created=result.created_s,
        model=result.model,
        choices=[_completion_choice(index, choice, tells_tokens) for index, choice in enumerate(result.choices)],
        usage=usage_object(result.usage),
    )
    details = [choice.detail for choice in result.choices if choice.detail is not None]
    if all_warnings := [*result.warnings, *warnings, *details]:
        completion["warnings"] = all_warnings
    return completion


def _completion_choice(index: int, choice: Choice, tells_tokens: bool) -> CompletionChoice:
    message = CompletionMessage(role="assistant", content=choice.text, refusal=None, annotations=[])
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["content"] = choice.text or None
        message["tool_calls"] = [tool_call_object(call) for call in choice.tool_calls]
    return CompletionChoice(
        index=index,
        message=message,
        logprobs=chat_logprobs(choice.logprobs) if tells_tokens else None,
        finish_reason=_finish_reason(choice.finish_reason),
    )


def tool_call_object(call: ToolCallPart, /) -> ToolCallObject:
    """Builds one of `tool_calls`."""
    function = FunctionObject(name=call.name, arguments=call.arguments)
    return ToolCallObject(id=call.id, type="function", function=function)


def usage_object(usage: TokenUsage, /) -> Usage:
    """Builds a `usage`."""
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cached_prompt_tokens, audio_tokens=0),
        completion_tokens_details=CompletionTokensDetails(
            reasoning_tokens=usage.reasoning_tokens,
            audio_tokens=0,
            accepted_prediction_tokens=0,
            rejected_prediction_tokens=0,
        ),
    )


class ChatChunks:
    """Turns the events of a generation into frames of `chat.completion.chunk`.

    Args:
        n: How many answers were asked for.
        wants_usage: Whether the last chunk tells the usage, and the others that they do not.
        warnings: What the dialect does otherwise than asked.
    """

    def __init__(self, *, n: int, wants_usage: bool, warnings: Sequence[str]) -> None:
        self._n = n
        self._wants_usage = wants_usage
        self._warnings = warnings
        self._started: GenerationStarted

    def encode(self, event: GenerationEvent, /) -> bytes:
        """Encodes the next event; the last one ends the stream."""
        return b"".join(self._frames(event))

    def _frames(self, event: GenerationEvent) -> Iterator[bytes]:
        match event:
            case GenerationStarted():
                self._started = event
                yield from map(_data, self._first_chunks(event))
            case PrefillProgress():
                # A comment, which clients skip: it keeps the connection from looking dead while a long prompt is read.
                yield b": prompt %d of %d tokens\n\n" % (event.processed_tokens, event.total_tokens)
            case TextDelta() | ReasoningDelta() | ToolCallDelta():
                choice = _choice(event.choice, _chunk_delta(event))
                if isinstance(event, TextDelta) and event.logprobs:
                    choice["logprobs"] = chat_logprobs(event.logprobs)
                yield _data(self._chunk([choice]))
            case ToolCallFinished():
                pass  # the deltas were all of it
            case ChoiceFinished():
                yield self._ending(event.choice, event.finish_reason, event.detail)
            case GenerationFinished():
                if self._n == 1:
                    yield self._ending(0, event.finish_reason, event.detail)
                if self._wants_usage:
                    yield _data({**self._chunk([]), "usage": usage_object(event.usage)})
                yield LAST_FRAME
            case _:
                assert_never(event)

    def _first_chunks(self, started: GenerationStarted) -> list[ChatCompletionChunk]:
        delta = ChunkDelta(role="assistant", content="", refusal=None)
        chunks = [self._chunk([_choice(choice, delta)]) for choice in range(self._n)]
        if warnings := [*started.warnings, *self._warnings]:
            chunks[0]["warnings"] = warnings
        return chunks

    def _ending(self, choice: int, reason: FinishReason, detail: str | None) -> bytes:
        chunk = self._chunk([_choice(choice, ChunkDelta(), _finish_reason(reason))])
        if detail is not None:
            chunk["warnings"] = [detail]
        return _data(chunk)

    def _chunk(self, choices: list[ChunkChoice]) -> ChatCompletionChunk:
        chunk = ChatCompletionChunk(
            id=self._started.generation_id,
            object="chat.completion.chunk",
            created=self._started.created_s,
            model=self._started.model,
            choices=choices,
        )
        if self._wants_usage:
            chunk["usage"] = None
        return chunk


def _choice(index: int, delta: ChunkDelta, finish_reason: OpenAiFinishReason | None = None) -> ChunkChoice:
    return ChunkChoice(index=index, delta=delta, logprobs=None, finish_reason=finish_reason)


def _chunk_delta(event: TextDelta | ReasoningDelta | ToolCallDelta) -> ChunkDelta:
    match event:
        case TextDelta():
            return ChunkDelta(content=event.text)
        case ReasoningDelta():
            return ChunkDelta(reasoning_content=event.text)
        case ToolCallDelta():
            return ChunkDelta(tool_calls=[_tool_call_chunk(event)])


def _tool_call_chunk(delta: ToolCallDelta) -> ToolCallChunk:
    if delta.arguments:
        return ToolCallChunk(index=delta.index, function=FunctionDelta(arguments=delta.arguments))
    function = FunctionDelta(name=delta.name, arguments="")
    return ToolCallChunk(index=delta.index, id=delta.id, type="function", function=function)


def _finish_reason(reason: FinishReason) -> OpenAiFinishReason:
    match reason:
        case FinishReason.LENGTH:
            return "length"
        case FinishReason.TOOL_CALLS:
            return "tool_calls"
        case FinishReason.STOP | FinishReason.CANCELLED:
            # OpenAI's clients know no other reasons. Who cancelled an answer does not wait for its end.
            return "stop"


def _data(chunk: object) -> bytes:
    return b"data: %b\n\n" % to_json(chunk)
