"""A response as a whole: what was asked for, how far it is, and what came of it. Pure: no request, no clock, no I/O."""

from collections.abc import Sequence
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from cortex_domain.generation import GenerationRequest, TokenUsage
from cortex_entrypoints.http.openai.responses.body import ResponseBody
from cortex_entrypoints.http.openai.responses.output_items import OutputItem
from cortex_entrypoints.http.openai.responses.tools import tool_choice_settings

ResponseStatus = Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]


class ResponseErrorFacts(TypedDict):
    """Why a response failed."""

    code: str
    message: str


class IncompleteDetails(TypedDict):
    """Why a response ended before it was whole."""

    reason: Literal["max_output_tokens"]


class InputTokensDetails(TypedDict):
    """What the prompt's tokens were."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(TypedDict):
    """What the answer's tokens were."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """Tokens read and written."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ReasoningSettings(TypedDict):
    """How the model was asked to think."""

    effort: str | None
    summary: str | None


class ResponseObject(TypedDict):
    """A response. `warnings` is an addition: what was done otherwise than asked, one sentence each."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: ResponseStatus
    background: bool
    error: ResponseErrorFacts | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: ReasoningSettings
    safety_identifier: str | None
    service_tier: Literal["default"]
    store: bool
    temperature: float
    text: dict[str, Any]
    tool_choice: Any
    tools: list[Any]
    top_logprobs: int
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    truncation: Literal["disabled"]
    usage: ResponseUsage | None
    user: str | None
    metadata: dict[str, str]
    warnings: NotRequired[list[str]]


def usage_object(usage: TokenUsage, /) -> ResponseUsage:
    """Builds a `usage`."""
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(cached_tokens=usage.cached_prompt_tokens, cache_write_tokens=0),
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=usage.reasoning_tokens),
        total_tokens=usage.total_tokens,
    )


def response_begun(
    body: ResponseBody, request: GenerationRequest, /, *, model: str, created_s: int, warnings: Sequence[str]
) -> ResponseObject:
    """Builds the response to a request of which nothing is answered yet.

    Args:
        body: What was asked for.
        request: The same as the domain has it, with all that was left open.
        model: Who answers.
        created_s: When the request was accepted, in whole seconds since the Unix epoch.
        warnings: What is done otherwise than asked.
    """
    response = ResponseObject(
        id=response_id_of(request.generation_id),
        object="response",
        created_at=created_s,
        completed_at=None,
        status="in_progress",
        background=bool(body.background),
        error=None,
        incomplete_details=None,
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=None,
        model=model,
        output=[],
        parallel_tool_calls=body.parallel_tool_calls is not False,
        previous_response_id=body.previous_response_id,
        prompt_cache_key=body.prompt_cache_key,
        reasoning=ReasoningSettings(effort=request.reasoning_effort, summary=None),
        safety_identifier=body.safety_identifier,
        service_tier="default",
        store=body.is_stored,
        temperature=request.sampling.temperature,
        text=_text_settings(body),
        tool_choice=tool_choice_settings(body.tool_choice),
        tools=[tool.settings() for tool in body.tools or ()],
        top_logprobs=request.logprobs or 0,
        top_p=request.sampling.top_p,
        presence_penalty=request.sampling.presence_penalty,
        frequency_penalty=request.sampling.frequency_penalty,
        truncation="disabled",
        usage=None,
        user=body.user,
        metadata=body.metadata or {},
    )
    if warnings:
        response["warnings"] = list(warnings)
    return response


def response_id_of(generation_id: str, /) -> str:
    """Names the response that a generation makes."""
    return f"resp_{generation_id.removeprefix('gen_')}"


def _text_settings(body: ResponseBody) -> dict[str, Any]:
    chosen = body.text and body.text.format
    format_ = {"type": "text"} if chosen is None else chosen.model_dump(by_alias=True)
    return {"format": format_, "verbosity": "medium"}
