"""The body of `POST /v1/responses`: every documented parameter, typed and bounded."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import GenerationRequest, Priority
from cortex_domain.messages import Message
from cortex_domain.token_logprobs import MAX_TOP_LOGPROBS
from cortex_entrypoints.http.openai.responses.prompt_body import PromptBody
from cortex_entrypoints.http.openai.sampling_body import SamplingBody
from cortex_entrypoints.http.request_bodies import ChatDefaults, MaxTokens, whole_number
from cortex_entrypoints.http.strict_body import Body, OnlyFalse

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
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16, description="Kept and given back with the response."),
]


class ResponseStreamOptions(Body):
    """How to stream."""

    include_obfuscation: OnlyFalse | None = None


class ResponseBody(SamplingBody, PromptBody):
    """What a response is asked for, as OpenAI's clients write it.

    The fields of `SamplingBody` other than `temperature` and `top_p` are extensions.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "starter", "input": "Say hello."}]})

    store: bool | None = None
    background: Annotated[bool, Field(description="Answers whether anybody waits or not.")] | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    max_output_tokens: MaxTokens | None = None
    top_logprobs: TopLogprobs | None = None
    metadata: Metadata | None = None
    service_tier: str | None = None
    include: list[Included] | None = None
    # Not honoured, so only what asks for nothing is taken.
    background_options: None = None
    context_management: Annotated[list[Any], Field(max_length=0)] | None = None
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
        return replace(
            self.prompt_request(defaults, messages, owner=owner),
            sampling=self.sampling(defaults),
            max_tokens=self.max_output_tokens,
            stop=self.stop_texts,
            priority=Priority.BACKGROUND if self.background else Priority.INTERACTIVE,
            logprobs=self._logprobs(),
        )

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
