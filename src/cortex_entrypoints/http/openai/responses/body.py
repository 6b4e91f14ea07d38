"""The body of `POST /v1/responses`: every documented parameter, typed and bounded."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_OWNER_CHARACTERS, GenerationRequest, Priority, ReasoningEffort
from cortex_domain.language_models import ModelId
from cortex_domain.messages import Message, system_message
from cortex_domain.token_logprobs import MAX_TOP_LOGPROBS
from cortex_entrypoints.http.openai.responses.input_items import ItemBody, MessageItemBody
from cortex_entrypoints.http.openai.responses.text_format import TextBody
from cortex_entrypoints.http.openai.responses.tools import ToolChoiceBody, Tools, offered_tools, tool_choice_of
from cortex_entrypoints.http.openai.sampling_body import SamplingBody
from cortex_entrypoints.http.request_bodies import (
    MAX_MESSAGES,
    ChatDefaults,
    MaxTokens,
    ModelName,
    ReasoningEffortName,
    whole_number,
)
from cortex_entrypoints.http.strict_body import Body, OnlyFalse
from cortex_entrypoints.http.tool_bodies import ParallelToolCalls

WITHOUT_EFFECT: Final = (
    "access_programs",
    "max_tool_calls",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
)
"""Parameters that change how OpenAI bills, stores or routes a request, or concern tools that it runs itself."""

_WITHOUT_EFFECT_WITHIN: Final = (("text", "verbosity"), ("reasoning", "summary"), ("reasoning", "generate_summary"))
_LOGPROBS: Final = "message.output_text.logprobs"
_INCLUDED: Final = (_LOGPROBS, "message.input_image.image_url")

Included = Literal[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
]
TopLogprobs = Annotated[
    int,
    Field(ge=0, le=MAX_TOP_LOGPROBS, description="Tells this many of the most probable tokens in each token's place."),
    BeforeValidator(whole_number),
]
ResponseId = Annotated[str, Field(min_length=1, max_length=200)]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16, description="Kept and given back with the response."),
]


class ResponseStreamOptions(Body):
    """How to stream."""

    include_obfuscation: OnlyFalse | None = None


class ReasoningBody(Body):
    """How to think."""

    effort: ReasoningEffortName | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto"] | None = None
    mode: Literal["standard"] | None = None


def _input_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<items>" if isinstance(value, list) else None


Input = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[ItemBody], Field(max_length=MAX_MESSAGES), Tag("<items>")],
    Discriminator(
        _input_tag, custom_error_type="input_type", custom_error_message="Input should be a string or a list of items"
    ),
    Field(description="What the user says, or items."),
]


class ResponseBody(SamplingBody):
    """What a response is asked for, as OpenAI's clients write it.

    The fields of `SamplingBody` other than `temperature` and `top_p` are extensions.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "starter", "input": "Say hello."}]})

    input: Input | None = None
    instructions: str | None = None
    model: ModelName | None = None
    previous_response_id: ResponseId | None = None
    store: bool | None = None
    background: Annotated[bool, Field(description="Answers whether anybody waits or not.")] | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    max_output_tokens: MaxTokens | None = None
    text: TextBody | None = None
    reasoning: ReasoningBody | None = None
    tools: Tools | None = None
    tool_choice: ToolChoiceBody | None = None
    parallel_tool_calls: ParallelToolCalls | None = None
    top_logprobs: TopLogprobs | None = None
    metadata: Metadata | None = None
    user: Annotated[str, Field(max_length=MAX_OWNER_CHARACTERS, description="Who asks; a name.")] | None = None
    truncation: Literal["disabled"] | None = None
    service_tier: str | None = None
    include: list[Included] | None = None
    # Not honoured, so only what asks for nothing is taken.
    background_options: None = None
    context_management: Annotated[list[Any], Field(max_length=0)] | None = None
    conversation: None = None
    image: None = None
    prompt: None = None
    # Taken, without effect, and listed among the warnings.
    access_programs: Any = None
    max_tool_calls: Any = None
    moderation: Any = None
    prompt_cache_key: Annotated[str, Field(max_length=1024)] | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: Annotated[str, Field(max_length=1024)] | None = None

    @property
    def items(self) -> list[ItemBody]:
        """What is said, as items."""
        if isinstance(self.input, str):
            return [MessageItemBody.model_validate({"role": "user", "content": self.input})]
        return self.input or []

    @property
    def is_stored(self) -> bool:
        """Whether the response is kept."""
        return self.store is not False

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was sent and has no effect, one sentence each."""
        return tuple(f"{parameter} has no effect on this server." for parameter in self._idle_parameters())

    def to_domain(self, defaults: ChatDefaults, messages: tuple[Message, ...], *, owner: str) -> GenerationRequest:
        """Builds the request.

        Args:
            defaults: What a request gets that leaves something open.
            messages: What the items of the conversation say.
            owner: Who asks.

        Raises:
            InvalidRequestError: The values break a rule together.
        """
        if self.background and not self.is_stored:
            raise InvalidRequestError("A response in the background has to be stored.", parameter="store")
        if not messages:
            raise InvalidRequestError("A response needs something to answer.", parameter="input")
        instructions = () if self.instructions is None else (system_message(self.instructions),)
        return GenerationRequest(
            model=defaults.model if self.model is None else ModelId(self.model),
            messages=instructions + messages,
            sampling=self.sampling(defaults),
            max_tokens=self.max_output_tokens,
            stop=self.stop_texts,
            owner=owner,
            priority=Priority.BACKGROUND if self.background else Priority.INTERACTIVE,
            reasoning_effort=self._reasoning_effort(),
            logprobs=self._logprobs(),
            tools=offered_tools(self.tools or (), self.tool_choice),
            tool_choice=tool_choice_of(self.tool_choice),
            parallel_tool_calls=self.parallel_tool_calls is not False,
            output=None if self.text is None else self.text.to_domain(),
        )

    def _reasoning_effort(self) -> ReasoningEffort | None:
        effort = None if self.reasoning is None else self.reasoning.effort
        return None if effort is None else ReasoningEffort(effort)

    def _logprobs(self) -> int | None:
        """Those of the tokens are told when they are included, or when alternatives to them are asked for."""
        are_wanted = self.top_logprobs or _LOGPROBS in (self.include or ())
        return (self.top_logprobs or 0) if are_wanted else None

    def _idle_parameters(self) -> Iterator[str]:
        if self.stream_options is not None and not self.stream:
            yield "stream_options"
        if self.service_tier not in (None, "auto", "default"):
            yield "service_tier"
        yield from (f"include {value}" for value in self.include or () if value not in _INCLUDED)
        yield from (name for name in WITHOUT_EFFECT if getattr(self, name) is not None)
        for name, field in _WITHOUT_EFFECT_WITHIN:
            if getattr(getattr(self, name), field, None) is not None:
                yield f"{name}.{field}"
