"""The body of `POST /v1/chat/completions`: every documented parameter, typed and bounded."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_OWNER_CHARACTERS, MAX_SEED, GenerationRequest, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_entrypoints.http.openai.messages import MessageBody
from cortex_entrypoints.http.openai.parameters import warnings_of
from cortex_entrypoints.http.request_bodies import (
    MAX_MESSAGES,
    ChatDefaults,
    FrequencyPenalty,
    LogitBias,
    MaxTokens,
    MinP,
    ModelName,
    NumberOfAnswers,
    PresencePenalty,
    RepetitionPenalty,
    StopTexts,
    Temperature,
    TopK,
    whole_number,
)
from cortex_entrypoints.http.strict_body import Body

_LEAST_TOP_P = 1e-9
"""What OpenAI's top_p of 0 asks for: the most probable token alone."""

TopP = Annotated[float, Field(ge=0, le=1, description="Keep the smallest set of tokens of this probability.")]
Seed = Annotated[
    int,
    Field(ge=-MAX_SEED - 1, le=MAX_SEED, description="Same seed and request, same answer."),
    BeforeValidator(whole_number),
]
_SAMPLING_FIELDS = ("temperature", "presence_penalty", "frequency_penalty", "top_k", "min_p", "repetition_penalty")


def _only_false(value: bool) -> bool:
    if value:
        raise ValueError("Input should be false")
    return value


OnlyFalse = Annotated[bool, AfterValidator(_only_false), WithJsonSchema({"type": "boolean", "const": False})]


class StreamOptions(Body):
    """How to stream."""

    include_usage: bool | None = Field(default=None, description="Ends the stream with a chunk that has the usage.")
    include_obfuscation: OnlyFalse | None = None


class TextFormat(Body):
    """Plain text."""

    type: Literal["text"]


class ChatCompletionBody(Body):
    """A chat to be continued by one answer, as OpenAI's clients write it.

    `top_k`, `min_p` and `repetition_penalty` are extensions that clients send as extra fields.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "starter", "messages": [{"role": "user", "content": "Say hello."}]}]}
    )

    messages: Annotated[list[MessageBody], Field(min_length=1, max_length=MAX_MESSAGES)]
    model: ModelName | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: MaxTokens | None = None
    max_completion_tokens: MaxTokens | None = None
    stop: StopTexts | None = None
    seed: Seed | None = None
    presence_penalty: PresencePenalty | None = None
    frequency_penalty: FrequencyPenalty | None = None
    logit_bias: LogitBias | None = None
    n: NumberOfAnswers | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Annotated[str, Field(max_length=MAX_OWNER_CHARACTERS, description="Who asks; a name.")] | None = None
    top_k: TopK | None = None
    min_p: MinP | None = None
    repetition_penalty: RepetitionPenalty | None = None
    # Not honoured yet, so only what asks for nothing is taken.
    audio: None = None
    function_call: Literal["none"] | None = None
    functions: Annotated[list[Any], Field(max_length=0)] | None = None
    logprobs: OnlyFalse | None = None
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = None
    prediction: None = None
    response_format: TextFormat | None = None
    tool_choice: Literal["none", "auto"] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=0), BeforeValidator(whole_number)] | None = None
    web_search_options: None = None
    # Taken, without effect, and listed among the warnings; see `parameters`.
    metadata: Any = None
    moderation: Any = None
    parallel_tool_calls: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    reasoning_effort: Any = None
    safety_identifier: Any = None
    service_tier: Any = None
    store: Any = None
    verbosity: Any = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was sent and has no effect, one sentence each."""
        return tuple(warnings_of(dict(self), is_stream=bool(self.stream)))

    def to_domain(self, defaults: ChatDefaults) -> GenerationRequest:
        """Builds the request.

        Raises:
            InvalidRequestError: The values break a rule together.
        """
        return GenerationRequest(
            model=defaults.model if self.model is None else ModelId(self.model),
            messages=tuple(message.to_domain() for message in self.messages),
            sampling=self._sampling(defaults),
            max_tokens=self._longest_answer(),
            stop=self._stop_texts(),
            owner=self.user or "",
            n=self.n or 1,
        )

    def _sampling(self, defaults: ChatDefaults) -> SamplingParameters:
        fields: dict[str, Any] = {"temperature": defaults.temperature, "top_p": defaults.top_p}
        fields |= {name: value for name in _SAMPLING_FIELDS if (value := getattr(self, name)) is not None}
        if self.top_p is not None:
            fields["top_p"] = self.top_p or _LEAST_TOP_P
        if self.seed is not None:
            fields["seed"] = self.seed & MAX_SEED  # the domain's seeds have no sign
        biases = {int(token_id): bias for token_id, bias in (self.logit_bias or {}).items()}
        return SamplingParameters(**fields, logit_bias=biases)

    def _longest_answer(self) -> int | None:
        given = {limit for limit in (self.max_tokens, self.max_completion_tokens) if limit is not None}
        if len(given) > 1:
            raise InvalidRequestError(
                "max_tokens and max_completion_tokens differ. Send max_completion_tokens alone.", parameter="max_tokens"
            )
        return next(iter(given), None)

    def _stop_texts(self) -> tuple[str, ...]:
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
