"""Bodies that clients send: strict types, no unknown fields, every number bounded, and the step into the domain."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic.config import JsonDict

from cortex_domain.generation import (
    MAX_CHOICES,
    MAX_OWNER_CHARACTERS,
    MAX_SEED,
    MAX_STOP_TEXTS,
    MAX_TIMEOUT_S,
    GenerationRequest,
    Priority,
    ReasoningEffort,
    SamplingParameters,
)
from cortex_domain.language_models import MODEL_ID_PATTERN, ModelId
from cortex_domain.messages import AudioPart, ContentPart, ImagePart, Message, ReasoningPart, Role, TextPart
from cortex_domain.token_logprobs import MAX_TOP_LOGPROBS
from cortex_domain.tools import ToolChoice
from cortex_entrypoints.http.output_bodies import OutputBody
from cortex_entrypoints.http.strict_body import Body
from cortex_entrypoints.http.tool_bodies import (
    ParallelToolCalls,
    ToolCallPartBody,
    ToolChoiceBody,
    ToolResultPartBody,
    ToolsOrServer,
    tool_choice_of,
)

MAX_MESSAGES = 10_000
MAX_PARTS = 1_000
MAX_PROMPT_TOKENS = 10_000_000
MAX_INTEGER = 2**31 - 1
LEAST_TIMEOUT_S = 0.1
"""Sooner, no server has even begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatDefaults:
    """What a chat gets that leaves these open.

    Attributes:
        model: Id or alias of the model that answers.
        temperature: 0 to 2.
        top_p: Above 0, up to 1.
    """

    model: ModelId
    temperature: float
    top_p: float


def _from_base64(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("Input should be a string of base64")  # noqa: TRY004 - pydantic reports ValueErrors only
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("Input should be base64 as in RFC 4648, section 4") from None


FileBytes = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    Field(min_length=1),
    WithJsonSchema({"type": "string", "format": "byte", "minLength": 4, "description": "The file in base64."}),
]


class TextPartBody(Body):
    """Plain text."""

    type: Literal["text"]
    text: str

    def to_domain(self) -> TextPart:
        """Builds the part."""
        return TextPart(text=self.text)


class ImagePartBody(Body):
    """A picture, for models that list the capability `image_input`."""

    type: Literal["image"]
    data: FileBytes
    media_type: Annotated[str, Field(pattern=r"^image/[A-Za-z0-9.+-]{1,64}$", examples=["image/png"])]

    def to_domain(self) -> ImagePart:
        """Builds the part."""
        return ImagePart(data=self.data, media_type=self.media_type)


class AudioPartBody(Body):
    """A sound, for models that list the capability `audio_input`."""

    type: Literal["audio"]
    data: FileBytes
    media_type: Annotated[str, Field(pattern=r"^audio/[A-Za-z0-9.+-]{1,64}$", examples=["audio/wav"])]

    def to_domain(self) -> AudioPart:
        """Builds the part."""
        return AudioPart(data=self.data, media_type=self.media_type)


class ReasoningPartBody(Body):
    """What the assistant thought before it answered; the model is given it where its family wants that."""

    type: Literal["reasoning"]
    text: str

    def to_domain(self) -> ReasoningPart:
        """Builds the part."""
        return ReasoningPart(text=self.text)


def _part_tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"<{kind}>" if kind in ("text", "image", "audio", "reasoning", "tool_call", "tool_result") else None


PartBody = Annotated[
    Annotated[TextPartBody, Tag("<text>")]
    | Annotated[ImagePartBody, Tag("<image>")]
    | Annotated[AudioPartBody, Tag("<audio>")]
    | Annotated[ReasoningPartBody, Tag("<reasoning>")]
    | Annotated[ToolCallPartBody, Tag("<tool_call>")]
    | Annotated[ToolResultPartBody, Tag("<tool_result>")],
    Discriminator(
        _part_tag,
        custom_error_type="part_type",
        custom_error_message=(
            "Input should be an object whose type is 'text', 'image', 'audio', 'reasoning', 'tool_call' or "
            "'tool_result'"
        ),
    ),
]


def _content_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<parts>" if isinstance(value, list) else None


ContentBody = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[list[PartBody], Field(min_length=1, max_length=MAX_PARTS), Tag("<parts>")],
    Discriminator(
        _content_tag,
        custom_error_type="content_type",
        custom_error_message="Input should be a string or a list of parts",
    ),
]


_ROLES_WITHOUT_REASONING: JsonDict = {
    "if": {"properties": {"role": {"enum": ["system", "user"]}}},
    "then": {
        "properties": {
            "content": {"not": {"contains": {"properties": {"type": {"const": "reasoning"}}, "required": ["type"]}}}
        }
    },
}


class MessageBody(Body):
    """One turn of the chat. Only the assistant has parts of reasoning."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_ROLES_WITHOUT_REASONING]})

    role: Literal["system", "user", "assistant", "tool"]
    content: ContentBody

    def to_domain(self) -> Message:
        """Builds the message.

        Raises:
            InvalidRequestError: A part is not what its role may say.
        """
        return Message(role=Role(self.role), parts=self._parts())

    def _parts(self) -> tuple[ContentPart, ...]:
        if isinstance(self.content, str):
            return (TextPart(text=self.content),)
        return tuple(part.to_domain() for part in self.content)


def _stop_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<one>"
    return "<many>" if isinstance(value, list) else None


def whole_number(value: object) -> object:
    """JSON knows one kind of number: 5.0 is the integer 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


StopText = Annotated[str, Field(min_length=1)]
TokenId = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,8})$")]
Bias = Annotated[float, Field(ge=-100, le=100)]

ModelName = Annotated[
    str,
    Field(
        max_length=200,
        description="Id or alias; the server's default model if absent.",
        json_schema_extra={"pattern": MODEL_ID_PATTERN},
    ),
]
Messages = Annotated[
    list[MessageBody], Field(min_length=1, max_length=MAX_MESSAGES, description="The chat so far, oldest first.")
]
Temperature = Annotated[float, Field(ge=0, le=2, description="0 takes the most probable token.")]
TopP = Annotated[float, Field(gt=0, le=1, description="Keep the smallest set of tokens of this probability.")]
TopK = Annotated[
    int,
    Field(ge=1, le=MAX_INTEGER, description="Keep this many tokens; all if absent."),
    BeforeValidator(whole_number),
]
MinP = Annotated[float, Field(ge=0, le=1, description="Drop tokens below this share of the best one's probability.")]
MaxTokens = Annotated[
    int, Field(ge=1, le=MAX_INTEGER, description="Longest answer, in tokens."), BeforeValidator(whole_number)
]
StopTexts = Annotated[
    Annotated[StopText, Tag("<one>")] | Annotated[list[StopText], Field(max_length=MAX_STOP_TEXTS), Tag("<many>")],
    Discriminator(
        _stop_tag, custom_error_type="stop_type", custom_error_message="Input should be a string or a list of strings"
    ),
    Field(description="Texts that end the answer and are not part of it."),
]
Seed = Annotated[
    int, Field(ge=0, le=MAX_SEED, description="Same seed and request, same answer."), BeforeValidator(whole_number)
]
RepetitionPenalty = Annotated[
    float, Field(gt=0, le=2, description="Divides the logits of tokens seen in prompt and answer; 1 changes nothing.")
]
PresencePenalty = Annotated[
    float, Field(ge=-2, le=2, description="Subtracted from the logit of each token already in the answer, once.")
]
FrequencyPenalty = Annotated[
    float, Field(ge=-2, le=2, description="Subtracted for each time that a token occurs in the answer.")
]
LogitBias = Annotated[
    dict[TokenId, Bias],
    Field(
        description="Token id to a number that is added to the token's logit.",
        json_schema_extra={"additionalProperties": False},
    ),
]

Owner = Annotated[
    str,
    Field(
        max_length=MAX_OWNER_CHARACTERS,
        description="Who asks: a name, not a credential. Owners share the engine fairly and reuse nothing of another.",
    ),
]

KeepAlive = Annotated[
    float,
    Field(
        ge=0,
        le=MAX_INTEGER,
        description="Seconds that the model stays in memory after its last request, from now on.",
    ),
]

TimeoutSeconds = Annotated[
    float,
    Field(
        ge=LEAST_TIMEOUT_S,
        le=MAX_TIMEOUT_S,
        description="Seconds, loading included, after which an answer ends with what it has, as cancelled; a request "
        "that has not been accepted by then is refused.",
    ),
]
PriorityName = Annotated[
    Literal["interactive", "background"],
    Field(description="Background waits, and pauses, for what is interactive; the answer is the same."),
]

NumberOfAnswers = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_CHOICES,
        description="How many answers are wanted; the prompt is read once for all. Answer number i is drawn with the "
        "seed plus i. A stream of several is cancelled, not kept, when its client leaves.",
    ),
    BeforeValidator(whole_number),
]

ReasoningEffortName = Annotated[
    Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    Field(
        description="How long the model may think before it answers, for models that list the capability "
        "`reasoning_effort`; many know only `none` and the rest. The model's own default if absent."
    ),
]
TopLogprobs = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Tells each token of the answer with its log-probability, and as many of the most probable in its "
        "place. They are the model's own: before biases, penalties, temperature and cuts.",
    ),
    BeforeValidator(whole_number),
]
PromptToken = Annotated[int, Field(ge=0, le=MAX_INTEGER), BeforeValidator(whole_number)]


def _prompt_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<tokens>" if isinstance(value, list) else None


Prompt = Annotated[
    Annotated[str, Field(min_length=1), Tag("<text>")]
    | Annotated[list[PromptToken], Field(min_length=1, max_length=MAX_PROMPT_TOKENS), Tag("<tokens>")],
    Discriminator(
        _prompt_tag,
        custom_error_type="prompt_type",
        custom_error_message="Input should be a string or a list of token ids",
    ),
    Field(
        description="A text, or its token ids, to be continued as it stands in place of messages: without a chat "
        "template, and with what looks like a control token read as one."
    ),
]

_SAMPLING_FIELDS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
)


LoraName = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$",
        description="LoRA weights to add to the model's own: a directory in the server's LORA_DIR that holds "
        "adapter_config.json and adapters.safetensors, as mlx-lm's training leaves them.",
    ),
]


DraftModelName = Annotated[
    str,
    Field(
        max_length=200,
        description="Id or alias of a small model with the same vocabulary, which guesses what the model will say when "
        "one request runs alone. It changes no text.",
        json_schema_extra={"pattern": MODEL_ID_PATTERN},
    ),
]
KvCacheBits = Annotated[
    Literal[8, 4],
    BeforeValidator(whole_number),
    Field(
        description="Bits of each number that is kept of tokens read and drawn; as computed if absent. 8 takes about "
        "half the memory of 16-bit numbers, 4 about a quarter, at some cost in exactness and time."
    ),
]


class ChatBody(Body):
    """A chat, or a prompt, to be continued by one answer. A field that is absent or null takes its default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50}],
            "oneOf": [
                {"required": ["messages"], "properties": {"messages": {"type": "array"}}},
                {"required": ["prompt"], "properties": {"prompt": {"type": ["string", "array"]}}},
            ],
        }
    )

    model: ModelName | None = None
    messages: Messages | None = None
    prompt: Prompt | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    min_p: MinP | None = None
    max_tokens: MaxTokens | None = None
    stop: StopTexts | None = None
    seed: Seed | None = None
    repetition_penalty: RepetitionPenalty | None = None
    presence_penalty: PresencePenalty | None = None
    frequency_penalty: FrequencyPenalty | None = None
    logit_bias: LogitBias | None = None
    owner: Owner | None = None
    timeout_s: TimeoutSeconds | None = None
    priority: PriorityName | None = None
    keep_alive_s: KeepAlive | None = None
    n: NumberOfAnswers | None = None
    output: OutputBody | None = None
    reasoning_effort: ReasoningEffortName | None = None
    logprobs: TopLogprobs | None = None
    echo: Annotated[bool, Field(description="Begins each answer with the prompt.")] | None = None
    tools: ToolsOrServer | None = None
    tool_choice: ToolChoiceBody | None = None
    parallel_tool_calls: ParallelToolCalls | None = None

    @property
    def server_tools(self) -> ToolChoice | None:
        """Whether the model uses Cortex's own tools, and which; None when it is offered none of them."""
        return tool_choice_of(self.tool_choice) if self.tools == "server" else None

    def to_domain(self, defaults: ChatDefaults) -> GenerationRequest:
        """Builds the request; what it says about Cortex's own tools is in `server_tools`.

        Raises:
            InvalidRequestError: The values break a rule of the domain.
        """
        return GenerationRequest(
            model=defaults.model if self.model is None else ModelId(self.model),
            messages=tuple(message.to_domain() for message in self.messages or ()),
            prompt=tuple(self.prompt) if isinstance(self.prompt, list) else self.prompt,
            sampling=self._sampling(defaults),
            max_tokens=self.max_tokens,
            stop=self._stop_texts(),
            owner=self.owner or "",
            timeout_s=self.timeout_s,
            priority=Priority(self.priority or Priority.INTERACTIVE),
            keep_alive_s=self.keep_alive_s,
            n=self.n or 1,
            output=None if self.output is None else self.output.to_domain(),
            reasoning_effort=self.reasoning_effort and ReasoningEffort(self.reasoning_effort),
            logprobs=self.logprobs,
            echo=bool(self.echo),
            tools=() if isinstance(self.tools, str) else tuple(tool.to_domain() for tool in self.tools or ()),
            tool_choice=ToolChoice() if self.tools == "server" else tool_choice_of(self.tool_choice),
            parallel_tool_calls=self.parallel_tool_calls is not False,
        )

    def _sampling(self, defaults: ChatDefaults) -> SamplingParameters:
        fields: dict[str, Any] = {"temperature": defaults.temperature, "top_p": defaults.top_p}
        fields |= {name: value for name in _SAMPLING_FIELDS if (value := getattr(self, name)) is not None}
        biases = {int(token_id): bias for token_id, bias in (self.logit_bias or {}).items()}
        return SamplingParameters(**fields, logit_bias=biases)

    def _stop_texts(self) -> tuple[str, ...]:
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class LoadBody(Body):
    """How to load a model, and for how long. Without any field, one that is loaded stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keep_alive_s": 600}, {"pinned": True}]})

    lora_weights: LoraName | None = None
    kv_cache_bits: KvCacheBits | None = None
    draft_model: DraftModelName | None = None
    keep_alive_s: KeepAlive | None = None
    pinned: Annotated[
        bool | None,
        Field(description="Whether it stays in memory until somebody unloads it, whatever else needs the memory."),
    ] = None
