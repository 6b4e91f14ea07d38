"""The body of `POST /v1/chat/completions`: every documented parameter, typed and bounded."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_OWNER_CHARACTERS, GenerationRequest, ReasoningEffort
from cortex_domain.language_models import ModelId
from cortex_entrypoints.http.openai.messages import MessageBody
from cortex_entrypoints.http.openai.parameters import warnings_of
from cortex_entrypoints.http.openai.response_format import ResponseFormat
from cortex_entrypoints.http.openai.sampling_body import SamplingBody
from cortex_entrypoints.http.openai.tools import ToolChoiceBody, Tools, offered_tools, tool_choice_of
from cortex_entrypoints.http.request_bodies import (
    MAX_MESSAGES,
    ChatDefaults,
    MaxTokens,
    ModelName,
    NumberOfAnswers,
    ReasoningEffortName,
    TopLogprobs,
)
from cortex_entrypoints.http.strict_body import Body, OnlyFalse
from cortex_entrypoints.http.tool_bodies import ParallelToolCalls


class StreamOptions(Body):
    """How to stream."""

    include_usage: bool | None = Field(default=None, description="Ends the stream with a chunk that has the usage.")
    include_obfuscation: OnlyFalse | None = None


class ChatCompletionBody(SamplingBody):
    """A chat to be continued by one answer, as OpenAI's clients write it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "starter", "messages": [{"role": "user", "content": "Say hello."}]}]}
    )

    messages: Annotated[list[MessageBody], Field(min_length=1, max_length=MAX_MESSAGES)]
    model: ModelName | None = None
    max_tokens: MaxTokens | None = None
    max_completion_tokens: MaxTokens | None = None
    n: NumberOfAnswers | None = None
    logprobs: Annotated[bool, Field(description="Tells each token of the answer with its log-probability.")] | None = (
        None
    )
    top_logprobs: TopLogprobs | None = None
    reasoning_effort: ReasoningEffortName | None = None
    response_format: ResponseFormat | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: Tools | None = None
    tool_choice: ToolChoiceBody | None = None
    parallel_tool_calls: ParallelToolCalls | None = None
    user: Annotated[str, Field(max_length=MAX_OWNER_CHARACTERS, description="Who asks; a name.")] | None = None
    # Not honoured yet, so only what asks for nothing is taken.
    audio: None = None
    function_call: Literal["none"] | None = None
    functions: Annotated[list[Any], Field(max_length=0)] | None = None
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = None
    prediction: None = None
    web_search_options: None = None
    # Taken, without effect, and listed among the warnings; see `parameters`.
    metadata: Any = None
    moderation: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
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
            sampling=self.sampling(defaults),
            max_tokens=self._longest_answer(),
            stop=self.stop_texts,
            owner=self.user or "",
            n=self.n or 1,
            logprobs=self._alternatives(),
            output=None if self.response_format is None else self.response_format.to_domain(),
            tools=offered_tools(self.tools, self.tool_choice),
            tool_choice=tool_choice_of(self.tool_choice),
            parallel_tool_calls=self.parallel_tool_calls is not False,
            reasoning_effort=self.reasoning_effort and ReasoningEffort(self.reasoning_effort),
        )

    def _alternatives(self) -> int | None:
        if self.top_logprobs and not self.logprobs:
            raise InvalidRequestError("top_logprobs needs logprobs to be true.", parameter="top_logprobs")
        return (self.top_logprobs or 0) if self.logprobs else None

    def _longest_answer(self) -> int | None:
        given = {limit for limit in (self.max_tokens, self.max_completion_tokens) if limit is not None}
        if len(given) > 1:
            raise InvalidRequestError(
                "max_tokens and max_completion_tokens differ. Send max_completion_tokens alone.", parameter="max_tokens"
            )
        return next(iter(given), None)
