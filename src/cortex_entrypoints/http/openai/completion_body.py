"""The body of `POST /v1/completions`: every documented parameter, typed and bounded."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_CHOICES, MAX_OWNER_CHARACTERS, GenerationRequest
from cortex_domain.language_models import ModelId
from cortex_domain.token_logprobs import MAX_TOP_LOGPROBS
from cortex_entrypoints.http.openai.chat_body import StreamOptions
from cortex_entrypoints.http.openai.parameters import warnings_of
from cortex_entrypoints.http.openai.sampling_body import SamplingBody
from cortex_entrypoints.http.request_bodies import (
    MAX_PROMPT_TOKENS,
    ChatDefaults,
    MaxTokens,
    ModelName,
    NumberOfAnswers,
    PromptToken,
    whole_number,
)

MAX_PROMPTS = 128
DEFAULT_MAX_TOKENS = 16
"""What OpenAI gives a completion that leaves its length open."""

Prompt = str | tuple[int, ...]


def _prompt_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    if not isinstance(value, list):
        return None
    if value and isinstance(value[0], list):
        return "<token lists>"
    return "<texts>" if not value or isinstance(value[0], str) else "<tokens>"


Tokens = Annotated[list[PromptToken], Field(min_length=1, max_length=MAX_PROMPT_TOKENS)]
Prompts = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS), Tag("<texts>")]
    | Annotated[Tokens, Tag("<tokens>")]
    | Annotated[list[Tokens], Field(min_length=1, max_length=MAX_PROMPTS), Tag("<token lists>")],
    Discriminator(
        _prompt_tag,
        custom_error_type="prompt_type",
        custom_error_message="Input should be a string, a list of strings, a list of token ids or a list of such lists",
    ),
    Field(description="What to continue, as it stands: text, token ids, or several of one kind."),
]
LogprobsCount = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Tells each token with its log-probability, and so many of the most probable in its place.",
    ),
    BeforeValidator(whole_number),
]
BestOf = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_CHOICES,
        description="Draws so many completions and returns the `n` whose tokens are the most probable on average.",
    ),
    BeforeValidator(whole_number),
]


class CompletionBody(SamplingBody):
    """Texts to be continued, as OpenAI's clients write them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "starter", "prompt": "Once upon a time", "max_tokens": 20}]}
    )

    prompt: Prompts
    model: ModelName | None = None
    best_of: BestOf | None = None
    echo: bool | None = None
    logprobs: LogprobsCount | None = None
    max_tokens: MaxTokens | None = None
    n: NumberOfAnswers | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    suffix: None = None
    user: Annotated[str, Field(max_length=MAX_OWNER_CHARACTERS, description="Who asks; a name.")] | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was sent and has no effect, one sentence each."""
        return tuple(warnings_of(dict(self), is_stream=bool(self.stream)))

    @property
    def returned(self) -> int:
        """How many completions of each prompt are returned."""
        return self.n or 1

    @property
    def drawn(self) -> int:
        """How many completions of each prompt are drawn, to return the best of them."""
        return self.best_of or self.returned

    def to_domain(self, defaults: ChatDefaults) -> tuple[GenerationRequest, ...]:
        """Builds a request for each prompt.

        Raises:
            InvalidRequestError: The values break a rule together.
        """
        self._require_possible()
        return tuple(self._request(prompt, defaults) for prompt in self._prompts())

    def _request(self, prompt: Prompt, defaults: ChatDefaults) -> GenerationRequest:
        ranks = self.drawn > self.returned
        return GenerationRequest(
            model=defaults.model if self.model is None else ModelId(self.model),
            prompt=prompt,
            sampling=self.sampling(defaults),
            max_tokens=self.max_tokens or DEFAULT_MAX_TOKENS,
            stop=self.stop_texts,
            owner=self.user or "",
            n=self.drawn,
            logprobs=0 if ranks and self.logprobs is None else self.logprobs,
            echo=bool(self.echo),
        )

    def _prompts(self) -> Sequence[Prompt]:
        if isinstance(self.prompt, str):
            return (self.prompt,)
        texts = [part for part in self.prompt if isinstance(part, str)]
        lists = [tuple(part) for part in self.prompt if isinstance(part, list)]
        tokens = tuple(part for part in self.prompt if isinstance(part, int))
        return [*texts, *lists, *([tokens] if tokens else [])]

    def _require_possible(self) -> None:
        if self.drawn < self.returned:
            raise InvalidRequestError("best_of is at least n.", parameter="best_of")
        if self.stream and self.drawn > self.returned:
            raise InvalidRequestError("The best of several cannot be streamed. Leave stream out.", parameter="best_of")
