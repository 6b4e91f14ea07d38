"""What happens while an answer is generated or a model is pulled: one frozen class an event, told apart by `type`.

The dataclasses are the wire format too: an edge encodes them as they are, with pydantic's `TypeAdapter`.
"""

from dataclasses import dataclass
from typing import Literal

from cortex_domain.generation import FinishReason, GenerationTimings, TokenUsage
from cortex_domain.language_models import ModelId
from cortex_domain.token_logprobs import TokenLogprob


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStarted:
    """The request was accepted and its prompt counted; comes before any work on the prompt.

    Attributes:
        generation_id: The request's id.
        model: Id of the model that answers.
        created_s: When the request was accepted, in whole seconds since the Unix epoch.
        prompt_tokens: Length of the rendered prompt, in tokens.
        warnings: What will be done otherwise than asked, one sentence each.
    """

    type: Literal["started"] = "started"
    generation_id: str
    model: ModelId
    created_s: int
    prompt_tokens: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillProgress:
    """A part of the prompt was processed.

    Attributes:
        processed_tokens: Prompt tokens done so far; never shrinks within one generation.
        total_tokens: Prompt tokens in all.
    """

    type: Literal["prefill_progress"] = "prefill_progress"
    processed_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """The next piece of the answer.

    Attributes:
        text: Whole characters, to be appended to what came before; at least one, or else there are tokens.
        choice: Which of the answers goes on, counted from 0.
        logprobs: Tokens that this text holds, begins or completes, when they were asked for; each token is told once,
            and tokens without a text of their own come with what follows them.
    """

    type: Literal["text_delta"] = "text_delta"
    text: str
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta:
    """The next piece of what the model thinks before it answers; no part of the answer.

    Attributes:
        text: At least one whole character, to be appended to the reasoning that came before.
        choice: Which of the answers it belongs to, counted from 0.
    """

    type: Literal["reasoning_delta"] = "reasoning_delta"
    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """The next piece of a tool call; the first one of a call names it and is empty.

    Attributes:
        choice: Which of the answers goes on, counted from 0.
        index: Which of its calls, counted from 0.
        id: The call's id.
        name: The tool.
        arguments: To be appended to what came before; together the JSON text of an object.
    """

    type: Literal["tool_call_delta"] = "tool_call_delta"
    choice: int = 0
    index: int
    id: str
    name: str
    arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallFinished:
    """A tool call is complete.

    Attributes:
        choice: Which of the answers it belongs to, counted from 0.
        index: Which of its calls, counted from 0.
        id: The call's id.
        name: The tool.
        arguments: JSON text of an object.
    """

    type: Literal["tool_call"] = "tool_call"
    choice: int = 0
    index: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceFinished:
    """One of several answers is complete; a request for a single one has no such event.

    Attributes:
        choice: Which one, counted from 0.
        finish_reason: Why it ended.
        stop_text: Which of the request's stop texts ended it; None when none did.
        detail: What is wrong with a tool call that is not whole; None when nothing is.
    """

    type: Literal["choice_done"] = "choice_done"
    choice: int
    finish_reason: FinishReason
    stop_text: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFinished:
    """All answers are complete; nothing follows.

    Attributes:
        finish_reason: Why the first answer ended.
        usage: Tokens read and written, those of all answers together.
        timings: Where the time went, for the first answer.
        stop_text: Which of the request's stop texts ended the first answer; None when none did.
        detail: What is wrong with a tool call of the first answer that is not whole; None when nothing is.
    """

    type: Literal["done"] = "done"
    finish_reason: FinishReason
    usage: TokenUsage
    timings: GenerationTimings
    stop_text: str | None = None
    detail: str | None = None


GenerationEvent = (
    GenerationStarted
    | PrefillProgress
    | ReasoningDelta
    | TextDelta
    | ToolCallDelta
    | ToolCallFinished
    | ChoiceFinished
    | GenerationFinished
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullStarted:
    """The files to fetch are known.

    Attributes:
        model: The model.
        revision: The commit that is fetched, pinned for the whole pull; None when the store has no such thing.
        total_bytes: Bytes of all files, those already here included.
    """

    type: Literal["started"] = "started"
    model: ModelId
    revision: str | None
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """More bytes are on disk.

    Attributes:
        completed_bytes: Bytes on disk so far, those of earlier attempts included; never shrinks within one pull.
        total_bytes: Bytes of all files.
    """

    type: Literal["progress"] = "progress"
    completed_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFinished:
    """The model is complete on disk; nothing follows.

    Attributes:
        model: The model.
        revision: The commit that is now on disk; None when the store has no such thing.
        size_bytes: Bytes on disk.
    """

    type: Literal["done"] = "done"
    model: ModelId
    revision: str | None
    size_bytes: int


PullEvent = PullStarted | PullProgress | PullFinished
