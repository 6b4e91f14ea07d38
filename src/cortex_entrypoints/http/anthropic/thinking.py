"""Thinking before the answer, as Anthropic's clients ask for it.

Anthropic's models think when they are asked to, so a model here is asked not to where nobody asks. Who asks a model
that never thinks gets an answer and a warning, because there are clients that always ask.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from cortex_domain.errors import UnsupportedCapabilityError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest, ReasoningEffort
from cortex_domain.language_models import Capability, ModelDescriptor
from cortex_entrypoints.http.request_bodies import MAX_INTEGER, whole_number
from cortex_entrypoints.http.strict_body import Body

EffortName = Literal["low", "medium", "high", "xhigh", "max"]
Display = Annotated[
    Literal["summarized", "omitted"],
    Field(description="Whether the answer has what was thought, always whole, or leaves it out."),
]


class EnabledThinkingBody(Body):
    """The model thinks; for how long, `effort` says."""

    type: Literal["enabled"]
    budget_tokens: Annotated[int, Field(ge=1, le=MAX_INTEGER), BeforeValidator(whole_number)]
    display: Display | None = None


class AdaptiveThinkingBody(Body):
    """The model thinks as it sees fit."""

    type: Literal["adaptive"]
    display: Display | None = None


class DisabledThinkingBody(Body):
    """The model does not think."""

    type: Literal["disabled"]


def _thinking_tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"<{kind}>" if kind in ("enabled", "adaptive", "disabled") else None


ThinkingBody = Annotated[
    Annotated[EnabledThinkingBody, Tag("<enabled>")]
    | Annotated[AdaptiveThinkingBody, Tag("<adaptive>")]
    | Annotated[DisabledThinkingBody, Tag("<disabled>")],
    Discriminator(
        _thinking_tag,
        custom_error_type="thinking_type",
        custom_error_message="Input should be an object whose type is 'enabled', 'adaptive' or 'disabled'",
    ),
]
AnyThinking = EnabledThinkingBody | AdaptiveThinkingBody | DisabledThinkingBody | None


def reasoning_effort_of(thinking: AnyThinking, effort: EffortName | None, /) -> ReasoningEffort | None:
    """Tells how long the model may think; None leaves it to the model."""
    if isinstance(thinking, DisabledThinkingBody) or (thinking is None and effort is None):
        return ReasoningEffort.NONE
    if effort is not None:
        return ReasoningEffort(effort)
    # What Anthropic's API takes when no effort is named.
    return ReasoningEffort.HIGH if isinstance(thinking, EnabledThinkingBody) else None


def shows_thinking(thinking: AnyThinking, /) -> bool:
    """Tells whether the answer has what was thought."""
    return thinking is None or isinstance(thinking, DisabledThinkingBody) or thinking.display != "omitted"


async def thinking_if_able(
    request: GenerationRequest, describe_model: Callable[[str], Awaitable[ModelDescriptor]], /
) -> tuple[GenerationRequest, tuple[str, ...]]:
    """Leaves out that the model shall think where it cannot be told to, and says so in a warning.

    Raises:
        InvalidRequestError: The model's name cannot name one.
        ModelNotFoundError: No model has this name.
        StorageError: The disk cannot be read.
    """
    if request.reasoning_effort is None:
        return request, ()
    if Capability.REASONING_EFFORT in (await describe_model(request.model)).capabilities:
        return request, ()
    if request.reasoning_effort is ReasoningEffort.NONE:  # it never thinks, or cannot be kept from it
        return replace(request, reasoning_effort=None), ()
    warning = "This model cannot be told how long to think; thinking and output_config.effort have no effect."
    return replace(request, reasoning_effort=None), (warning,)


@asynccontextmanager
async def thinking_if_it_must(
    request: GenerationRequest,
    generate_text: Callable[[GenerationRequest], AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]],
    /,
    *,
    is_refused: bool,
) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
    """Generates an answer, with thoughts where a model cannot be kept from them though nobody asked for any.

    Args:
        request: What is asked.
        generate_text: The use case.
        is_refused: Whether such a model refuses the request rather, because it was told not to think.

    Raises:
        CortexError: On entering or iterating, what the use case raises.
    """
    async with AsyncExitStack() as stack:
        try:
            events = await stack.enter_async_context(generate_text(request))
        except UnsupportedCapabilityError as refusal:
            if is_refused or not _must_think(refusal, request):
                raise
            events = await stack.enter_async_context(generate_text(replace(request, reasoning_effort=None)))
        yield events


async def count_if_it_must_think(
    request: GenerationRequest, count_prompt: Callable[[GenerationRequest], Awaitable[int]], /, *, is_refused: bool
) -> int:
    """Counts a prompt, that with thoughts where a model cannot be kept from them; see `thinking_if_it_must`.

    Raises:
        CortexError: What the use case raises.
    """
    try:
        return await count_prompt(request)
    except UnsupportedCapabilityError as refusal:
        if is_refused or not _must_think(refusal, request):
            raise
        return await count_prompt(replace(request, reasoning_effort=None))


def _must_think(refusal: UnsupportedCapabilityError, request: GenerationRequest) -> bool:
    is_of_effort = refusal.capability == Capability.REASONING_EFFORT
    return is_of_effort and request.reasoning_effort is ReasoningEffort.NONE
