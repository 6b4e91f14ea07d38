"""Bodies that clients get, where they differ from the domain's own values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from cortex_domain.engine_status import Device
from cortex_domain.errors import UnavailableReason
from cortex_domain.generation import Choice, FinishReason, GenerationResult, GenerationTimings, TokenUsage
from cortex_domain.language_models import ModelDescriptor, ModelId
from cortex_domain.token_logprobs import TokenLogprob
from cortex_entrypoints.default_model import DefaultModelStatus
from cortex_entrypoints.http.tool_answers import ToolInvocation


def _is_none(value: object) -> bool:
    return value is None


def _is_empty(value: Sequence[object]) -> bool:
    return not value


class ErrorFacts(BaseModel):
    """What went wrong and what to do."""

    code: str = Field(description="Stable identifier in snake_case.")
    message: str = Field(description="One or two sentences for the person who can act.")
    reason: UnavailableReason | None = Field(
        default=None, exclude_if=_is_none, description="Why the server takes nothing more for now."
    )
    param: str | None = Field(
        default=None, exclude_if=_is_none, description="Dotted path of the value in the request that is wrong."
    )
    details: dict[str, Any] | None = Field(
        default=None, exclude_if=_is_none, description="Facts of this code, for programs."
    )


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorFacts


class ErrorEvent(BaseModel):
    """Ends a stream that failed; nothing follows."""

    type: Literal["error"] = "error"
    error: ErrorFacts


class CancelledEvent(BaseModel):
    """Ends a chat that its client cancelled. Nobody counted what it came to, so usage and timings are null."""

    type: Literal["done"] = "done"
    finish_reason: Literal[FinishReason.CANCELLED] = FinishReason.CANCELLED
    stop_text: None = None
    usage: None = None
    timings: None = None


class AnswerToolCall(BaseModel):
    """A tool that the caller shall use; what comes of it goes into a `tool_result` with this id."""

    id: str
    name: str
    arguments: str = Field(description="JSON text of an object, unless the answer ended within it.")


class AnswerMessage(BaseModel):
    """The assistant's turn."""

    role: Literal["assistant"] = "assistant"
    content: str
    reasoning: str | None = Field(
        default=None, exclude_if=_is_none, description="What the model thought before, if it did and tells."
    )

    tool_calls: list[AnswerToolCall] | None = Field(
        default=None, exclude_if=_is_none, description="What the assistant asks for, in order, if anything."
    )

    @classmethod
    def of_choice(cls, choice: Choice) -> Self:
        """Builds the message of an answer."""
        calls = [AnswerToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in choice.tool_calls]
        return cls(content=choice.text, reasoning=choice.reasoning or None, tool_calls=calls or None)


FinishDetail = Annotated[
    str | None,
    Field(exclude_if=_is_none, description="What is wrong with a tool call that is not whole."),
]


AnswerLogprobs = Annotated[
    tuple[TokenLogprob, ...],
    Field(exclude_if=_is_empty, description="The answer's tokens, when `logprobs` asked for them."),
]


class AnswerChoice(BaseModel):
    """One of several answers."""

    message: AnswerMessage
    finish_reason: FinishReason
    stop_text: str | None = Field(
        default=None, exclude_if=_is_none, description="Which of the stop texts ended it; absent when none did."
    )
    logprobs: AnswerLogprobs = ()
    detail: FinishDetail = None


class ToolUse(BaseModel):
    """A use of one of Cortex's own tools."""

    call_id: str
    name: str = Field(description="The tool.")
    arguments: dict[str, Any] | None = Field(description="What it was told; null when it was not begun.")
    result: ToolInvocation


class ChatCompletion(BaseModel):
    """A whole answer."""

    id: str
    created: int = Field(description="Seconds since the Unix epoch.")
    model: ModelId
    message: AnswerMessage
    finish_reason: FinishReason
    stop_text: str | None = Field(
        default=None, exclude_if=_is_none, description="Which of the stop texts ended it; absent when none did."
    )
    logprobs: AnswerLogprobs = ()
    detail: FinishDetail = None
    choices: list[AnswerChoice] | None = Field(
        default=None,
        exclude_if=_is_none,
        description="All answers, the one above first, when `n` asked for several.",
    )
    tool_uses: list[ToolUse] | None = Field(
        default=None,
        exclude_if=_is_none,
        description="What the model had Cortex's own tools do, in order, when `tools` was `server`.",
    )
    usage: TokenUsage
    timings: GenerationTimings
    warnings: tuple[str, ...] = Field(description="What was done otherwise than asked, one sentence each.")

    @classmethod
    def from_result(cls, result: GenerationResult, *, tool_uses: list[ToolUse] | None = None) -> Self:
        """Builds the body of an answer."""
        return cls(
            id=result.generation_id,
            created=result.created_s,
            model=result.model,
            message=AnswerMessage.of_choice(result.choices[0]),
            finish_reason=result.finish_reason,
            stop_text=result.choices[0].stop_text,
            logprobs=result.choices[0].logprobs,
            detail=result.detail,
            choices=_several(result.choices),
            tool_uses=tool_uses,
            usage=result.usage,
            timings=result.timings,
            warnings=result.warnings,
        )


def _several(choices: Sequence[Choice]) -> list[AnswerChoice] | None:
    if len(choices) == 1:
        return None
    return [
        AnswerChoice(
            message=AnswerMessage.of_choice(choice),
            finish_reason=choice.finish_reason,
            stop_text=choice.stop_text,
            logprobs=choice.logprobs,
            detail=choice.detail,
        )
        for choice in choices
    ]


class DialectManifest(TypedDict):
    """What becomes of a dialect's parameters with one model; `docs/compatibility.md` has the values."""

    dialect: str
    path: str
    honoured: list[str]
    partly: list[str]
    warned: list[str]
    refused: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedModel(ModelDescriptor):
    """What is known about a model, and what can be asked of it.

    Attributes:
        dialects: For each dialect its parameters: those that this model honours, those of which it honours some values,
            those without effect, of which an answer warns, and those that are refused.
    """

    dialects: Sequence[DialectManifest]


class ModelList(BaseModel):
    """Every model that is here or in the catalogue."""

    models: list[DescribedModel]
    default_model: ModelId


class FeatureHealth(BaseModel):
    """A feature that a setting asks for."""

    requested: bool
    available: bool


class MemoryHealth(BaseModel):
    """Memory of models and caches."""

    active_bytes: int
    peak_bytes: int


class Health(BaseModel):
    """Whether the server can serve, and with what."""

    status: Literal["ok", "draining", "failed"]
    reason: str | None = Field(default=None, description="Why it cannot serve.")
    version: str
    environment: str
    uptime_s: float
    device: Device
    loaded_models: list[ModelId]
    memory: MemoryHealth
    active_requests: int
    waiting_requests: int
    default_model: DefaultModelStatus
    features: dict[str, FeatureHealth]


class Welcome(BaseModel):
    """What this server is and where to go on."""

    name: str
    version: str
    links: dict[str, str]
