"""The bodies of `POST /v1/messages` and `/v1/messages/count_tokens`: every documented parameter, typed and bounded."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from cortex_domain.generation import MAX_OWNER_CHARACTERS, MAX_STOP_TEXTS, GenerationRequest, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_entrypoints.http.anthropic.content_blocks import CacheControl, TextBlocks
from cortex_entrypoints.http.anthropic.conversation import TurnBody, conversation
from cortex_entrypoints.http.anthropic.parameters import warnings_of
from cortex_entrypoints.http.anthropic.thinking import EffortName, ThinkingBody, reasoning_effort_of, shows_thinking
from cortex_entrypoints.http.anthropic.tool_bodies import ToolChoiceBody, Tools, allows_parallel, tool_choice_of
from cortex_entrypoints.http.edge_errors import ThreadUnsupportedError
from cortex_entrypoints.http.output_bodies import JsonSchemaOutputBody
from cortex_entrypoints.http.request_bodies import (
    MAX_INTEGER,
    MAX_MESSAGES,
    ChatDefaults,
    MaxTokens,
    ModelName,
    StopText,
    whole_number,
)
from cortex_entrypoints.http.strict_body import Body

_LEAST_TOP_P = 1e-9
"""What a top_p of 0 asks for: the most probable token alone."""

Temperature = Annotated[float, Field(ge=0, le=1, description="0 takes the most probable token.")]
TopP = Annotated[float, Field(ge=0, le=1, description="Keep the smallest set of tokens of this probability.")]
TopK = Annotated[
    int,
    Field(ge=0, le=MAX_INTEGER, description="Keep this many tokens; 0 keeps all."),
    BeforeValidator(whole_number),
]
Nothing = Annotated[list[Any], Field(max_length=0)]


class MetadataBody(Body):
    """Who asks."""

    user_id: (
        Annotated[
            str,
            Field(max_length=MAX_OWNER_CHARACTERS, description="The owner, who shares nothing computed with others."),
        ]
        | None
    ) = None


class OutputConfigBody(Body):
    """What the answer has to look like, and how long the model may think before it."""

    format: JsonSchemaOutputBody | None = None
    effort: EffortName | None = None
    task_budget: None = None


class PromptBody(Body):
    """What a prompt is made of."""

    messages: Annotated[list[TurnBody], Field(min_length=1, max_length=MAX_MESSAGES)]
    model: ModelName | None = None
    system: TextBlocks | None = None
    tools: Tools | None = None
    tool_choice: ToolChoiceBody | None = None
    thinking: ThinkingBody | None = None
    output_config: OutputConfigBody | None = None
    cache_control: CacheControl | None = None
    # Not honoured, so only what asks for nothing is taken.
    mcp_servers: Nothing | None = None
    # Taken, without effect; see `parameters`.
    context_management: Any = None
    speed: Any = None
    user_profile_id: Any = None
    workspace_id: Any = None

    def to_domain(self, defaults: ChatDefaults) -> GenerationRequest:
        """Builds the request whose prompt this is.

        Raises:
            InvalidRequestError: The values break a rule together.
        """
        return GenerationRequest(**self._prompt_fields(defaults))

    def _prompt_fields(self, defaults: ChatDefaults) -> dict[str, Any]:
        wanted = self.output_config or OutputConfigBody()
        return {
            "model": defaults.model if self.model is None else ModelId(self.model),
            "messages": conversation(self.system or [], self.messages),
            "tools": tuple(tool.to_domain() for tool in self.tools or ()),
            "tool_choice": tool_choice_of(self.tool_choice),
            "parallel_tool_calls": allows_parallel(self.tool_choice),
            "output": wanted.format and wanted.format.to_domain(),
            "reasoning_effort": reasoning_effort_of(self.thinking, wanted.effort),
        }


class CountTokensBody(PromptBody):
    """A prompt to be counted."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "starter", "messages": [{"role": "user", "content": "Say hello."}]}]}
    )


class CreateMessageBody(PromptBody):
    """A chat to be continued by one message, as Anthropic's clients write it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "starter", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]}
            ]
        }
    )

    max_tokens: MaxTokens
    stop_sequences: (
        Annotated[
            list[StopText],
            Field(max_length=MAX_STOP_TEXTS, description="Texts that end the answer, and are not in it."),
        ]
        | None
    ) = None
    stream: bool | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    metadata: MetadataBody | None = None
    # Not honoured, so only what asks for nothing is taken.
    compaction: None = None
    container: None = None
    thread: Any = None
    # Taken, without effect, and listed among the warnings; see `parameters`.
    billing_policy: Any = None
    diagnostics: Any = None
    fallback_credit_token: Any = None
    fallbacks: Any = None
    inference_geo: Any = None
    service_tier: Any = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was sent and has no effect, one sentence each."""
        return tuple(warnings_of(dict(self)))

    @property
    def shows_thinking(self) -> bool:
        """Whether the answer has what the model thought."""
        return shows_thinking(self.thinking)

    def to_domain(self, defaults: ChatDefaults) -> GenerationRequest:
        """Builds the request; `max_tokens` is cut to what the context window holds, as Anthropic's models do.

        Raises:
            InvalidRequestError: The values break a rule together.
            ThreadUnsupportedError: It asks the server to keep the chat.
        """
        if self.thread is not None:
            raise ThreadUnsupportedError
        return GenerationRequest(
            **self._prompt_fields(defaults),
            sampling=self._sampling(defaults),
            max_tokens=self.max_tokens,
            shortens_to_fit=True,
            stop=tuple(self.stop_sequences or ()),
            owner=(self.metadata and self.metadata.user_id) or "",
        )

    def _sampling(self, defaults: ChatDefaults) -> SamplingParameters:
        return SamplingParameters(
            temperature=defaults.temperature if self.temperature is None else self.temperature,
            top_p=defaults.top_p if self.top_p is None else self.top_p or _LEAST_TOP_P,
            top_k=self.top_k or None,
        )
