"""What a text generation is asked for and what it reports: request, sampling, usage, timings, result."""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from cortex_domain.errors import InvalidRequestError
from cortex_domain.language_models import Capability, ModelId
from cortex_domain.messages import AudioPart, ImagePart, Message, ToolCallPart
from cortex_domain.output_constraints import OutputConstraint
from cortex_domain.token_logprobs import MAX_TOP_LOGPROBS, TokenLogprob
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition

MAX_SEED = 2**63 - 1
MAX_STOP_TEXTS = 16
MAX_CHOICES = 16
MAX_OWNER_CHARACTERS = 512
MAX_TOOLS = 128
MAX_TIMEOUT_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParameters:
    """How the next token is drawn. The defaults of the penalties, biases and cuts change nothing.

    The order of application is that of mlx-lm: biases and penalties on the logits, then top_p, min_p and top_k on the
    log-probabilities, then temperature.

    Attributes:
        temperature: 0 to 2; 0 takes the most probable token.
        top_p: Above 0, up to 1; keep the smallest set of tokens whose probability reaches this. 1 keeps all.
        top_k: At least 1; keep this many tokens. None keeps all.
        min_p: 0 to 1; drop tokens less probable than this share of the best one. 0 drops none.
        seed: 0 to 2**63 - 1; the same seed and request give the same text. None draws afresh each time.
        repetition_penalty: Above 0, up to 2; divides the logits of tokens seen in prompt and answer
            (https://arxiv.org/abs/1909.05858). 1 changes nothing.
        presence_penalty: -2 to 2; subtracted once from the logit of each token already in the answer.
        frequency_penalty: -2 to 2; subtracted for each time that a token occurs in the answer.
        logit_bias: Token id to a value of -100 to 100 that is added to the token's logit.
    """

    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int | None = None
    min_p: float = 0.0
    seed: int | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _require_within("temperature", self.temperature, 0.0, 2.0)
        _require_within("top_p", self.top_p, 0.0, 1.0, above_low=True)
        _require_within("top_k", self.top_k, 1, math.inf)
        _require_within("min_p", self.min_p, 0.0, 1.0)
        _require_within("seed", self.seed, 0, MAX_SEED)
        _require_within("repetition_penalty", self.repetition_penalty, 0.0, 2.0, above_low=True)
        _require_within("presence_penalty", self.presence_penalty, -2.0, 2.0)
        _require_within("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        for token_id, bias in self.logit_bias.items():
            _require_within("logit_bias", token_id, 0, math.inf)
            _require_within("logit_bias", bias, -100.0, 100.0)
        object.__setattr__(self, "logit_bias", MappingProxyType(dict(self.logit_bias)))

    @property
    def needs(self) -> Mapping[Capability, str]:
        """Capabilities that these values need, each with the name of the parameter that needs it."""
        wanted = {
            Capability.TOP_K: self.top_k is not None,
            Capability.MIN_P: self.min_p > 0,
            Capability.SEED: self.seed is not None,
            Capability.REPETITION_PENALTY: self.repetition_penalty != 1,
            Capability.PRESENCE_PENALTY: self.presence_penalty != 0,
            Capability.FREQUENCY_PENALTY: self.frequency_penalty != 0,
            Capability.LOGIT_BIAS: bool(self.logit_bias),
        }
        return {capability: capability.value for capability, is_wanted in wanted.items() if is_wanted}

    def for_choice(self, choice: int, /) -> Self:
        """Builds the parameters of one of several answers: its seed is that of the first, plus its number.

        Args:
            choice: At least 0; after the highest seed comes 0.
        """
        return self if self.seed is None else replace(self, seed=(self.seed + choice) % (MAX_SEED + 1))


def new_generation_id() -> str:
    """Draws an id that no other generation has."""
    return f"gen_{uuid.uuid4().hex}"


class Priority(StrEnum):
    """Who goes first when there is not room for all; the order is that of urgency.

    INTERACTIVE: somebody waits for the answer. BACKGROUND: nobody does; it waits, and pauses, for the interactive.
    """

    INTERACTIVE = "interactive"
    BACKGROUND = "background"


class ReasoningEffort(StrEnum):
    """How long a model may think before it answers, from not at all to as long as it likes.

    How many of the steps between differ is the model's affair; many know only NONE and all the rest.
    """

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A chat to be continued by one assistant message, or a text to be continued as it stands.

    Attributes:
        model: Id or alias of a model.
        messages: The chat so far, oldest first; at least one, unless there is a prompt.
        prompt: A text, or its tokens, at least one, to be continued in place of a chat: no template is applied, and
            what looks like a control token is one. Whoever writes it speaks for everybody. None continues the chat.
        sampling: How tokens are drawn.
        max_tokens: Longest answer in tokens, at least 1. None leaves it to the text generator's configured default,
            cut to what the context window still holds.
        shortens_to_fit: Whether `max_tokens` too is cut to what the context window still holds; otherwise a request
            that does not fit is refused.
        stop: Up to 16 non-empty texts that end the answer; the text that matched is not part of the answer.
        owner: Who asks, up to 512 characters; a name, not a credential. Owners share the engine fairly and reuse
            nothing that was computed for another. The empty owner is one like any other.
        timeout_s: Seconds, above 0 and up to 86,400, after which nobody wants the answer any more. A request that is
            not accepted by then is refused; an answer ends with what it has, as cancelled. The time goes on while a
            generation is suspended. None waits for ever.
        priority: Who goes first when there is not room for all; it changes when an answer comes, never what it says.
        keep_alive_s: Seconds, 0 or more, that the model stays in memory after its last request; from now on and for
            every request, until another one says otherwise. None changes nothing.
        n: How many answers are wanted, 1 to 16, each drawn for itself; the prompt is read once for all. The first is
            the one that the same request would get alone; see `SamplingParameters.for_choice`.
        output: What the answer has to look like. None leaves that to the model.
        reasoning_effort: How long the model may think before it answers; not to think asks nothing of a model that
            never does. None leaves it to the model.
        logprobs: Has each token of the answer told with its log-probability, and with so many of the most probable
            tokens in its place, 0 to 20; tokens of the reasoning are not told. None tells nothing of tokens.
        echo: Whether each answer begins with the prompt; with `logprobs` its tokens are told too.
        tools: What the model may ask the caller to do, up to 128; the answer then may consist of tool calls.
        tool_choice: Whether the model uses tools, and which.
        parallel_tool_calls: Whether one answer may hold several calls.
        generation_id: Names this generation in events and logs.
    """

    model: ModelId
    messages: tuple[Message, ...] = ()
    prompt: str | tuple[int, ...] | None = None
    sampling: SamplingParameters = field(default_factory=SamplingParameters)
    max_tokens: int | None = None
    shortens_to_fit: bool = False
    stop: tuple[str, ...] = ()
    owner: str = ""
    timeout_s: float | None = None
    priority: Priority = Priority.INTERACTIVE
    keep_alive_s: float | None = None
    n: int = 1
    output: OutputConstraint | None = None
    reasoning_effort: ReasoningEffort | None = None
    logprobs: int | None = None
    echo: bool = False
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool = True
    generation_id: str = field(default_factory=new_generation_id, compare=False)

    def __post_init__(self) -> None:
        self._require_one_beginning()
        _require_within("max_tokens", self.max_tokens, 1, math.inf)
        _require_within("timeout_s", self.timeout_s, 0, MAX_TIMEOUT_S, above_low=True)
        _require_within("keep_alive_s", self.keep_alive_s, 0, math.inf)
        _require_within("n", self.n, 1, MAX_CHOICES)
        _require_within("logprobs", self.logprobs, 0, MAX_TOP_LOGPROBS)
        if len(self.stop) > MAX_STOP_TEXTS:
            raise InvalidRequestError(f"At most {MAX_STOP_TEXTS} stop texts are allowed.", parameter="stop")
        if not all(self.stop):
            raise InvalidRequestError("A stop text must not be empty.", parameter="stop")
        if len(self.owner) > MAX_OWNER_CHARACTERS:
            raise InvalidRequestError(f"owner has at most {MAX_OWNER_CHARACTERS} characters.", parameter="owner")
        self._require_usable_tools()
        _require_known_calls(self.messages)

    @property
    def offered_tools(self) -> tuple[ToolDefinition, ...]:
        """The tools that the model is told of."""
        return () if self.tool_choice.mode is ToolChoiceMode.NONE else self.tools

    @property
    def needs(self) -> Mapping[Capability, str]:
        """Capabilities that this request needs, each with the parameter that needs it."""
        wanted = {
            (Capability.CHOICES, "n"): self.n > 1,
            (Capability.REASONING_EFFORT, "reasoning_effort"): self.wants_reasoning,
            (Capability.LOGPROBS, "logprobs"): self.logprobs is not None,
            (Capability.ECHO, "echo"): self.echo,
            (Capability.RAW_PROMPT, "prompt"): self.prompt is not None,
        }
        needs = {**self.sampling.needs, **{capability: name for (capability, name), is_so in wanted.items() if is_so}}
        return {**needs, **self._needs_of_messages(), **self._needs_of_output()}

    @property
    def wants_reasoning(self) -> bool:
        """Whether the model is asked to think."""
        return self.reasoning_effort not in (None, ReasoningEffort.NONE)

    def _needs_of_output(self) -> Mapping[Capability, str]:
        return {} if self.output is None else {self.output.capability: "output"}

    def _needs_of_messages(self) -> Mapping[Capability, str]:
        parts = [part for message in self.messages for part in message.parts]
        needs: dict[Capability, str] = {}
        if any(isinstance(part, ImagePart) for part in parts):
            needs[Capability.IMAGE_INPUT] = "messages"
        if any(isinstance(part, AudioPart) for part in parts):
            needs[Capability.AUDIO_INPUT] = "messages"
        if self.offered_tools:
            needs[Capability.TOOLS] = "tools"
        elif any(message.tool_calls or message.tool_results for message in self.messages):
            needs[Capability.TOOLS] = "messages"
        return needs

    def _require_one_beginning(self) -> None:
        if self.prompt is None:
            if self.echo:
                raise InvalidRequestError("Only a prompt can be given back, not messages.", parameter="echo")
            if not self.messages:
                raise InvalidRequestError("A request needs at least one message.", parameter="messages")
            return
        if self.messages or self.wants_reasoning:
            raise InvalidRequestError("A prompt goes without messages and reasoning.", parameter="prompt")
        if not self.prompt:
            raise InvalidRequestError("A prompt must not be empty.", parameter="prompt")
        if isinstance(self.prompt, str):
            _require_whole_characters(self.prompt)
        elif min(self.prompt) < 0:
            raise InvalidRequestError("A token id is at least 0.", parameter="prompt")

    def _require_usable_tools(self) -> None:
        names = {tool.name for tool in self.tools}
        if self.prompt is not None and self.offered_tools:
            raise InvalidRequestError("A prompt has no place for tools. Send messages.", parameter="tools")
        if len(self.tools) > MAX_TOOLS:
            raise InvalidRequestError(f"At most {MAX_TOOLS} tools are allowed.", parameter="tools")
        if len(names) < len(self.tools):
            raise InvalidRequestError("Two tools have the same name.", parameter="tools")
        if self.tool_choice.is_forced and not names:
            raise InvalidRequestError("tool_choice asks for a call, and there are no tools.", parameter="tool_choice")
        if self.tool_choice.name is not None and self.tool_choice.name not in names:
            raise InvalidRequestError(
                f"tool_choice names {self.tool_choice.name!r}, which is none of the tools.", parameter="tool_choice"
            )


class FinishReason(StrEnum):
    """Why an answer ended.

    STOP: the model or a stop text ended it. LENGTH: max_tokens or the context window did. TOOL_CALLS: the model waits
    for the results of its tool calls, all of which are whole. CANCELLED: the caller did, or the deadline that it set.
    """

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CANCELLED = "cancelled"


class CacheMissReason(StrEnum):
    """Why the rest of a prompt was not reused.

    NOT_CACHED: nothing that begins like it is kept. DIVERGED: what is kept goes on with other tokens. EVICTED: it was
    kept and had to make room. OTHER_OWNER: it is kept, but for another owner. NOT_SUPPORTED: nothing can be kept of
    this model's state. TOO_SHORT: what is kept is so little that it is read again faster. DISABLED: the settings switch
    reuse off.
    """

    NOT_CACHED = "not_cached"
    DIVERGED = "diverged"
    EVICTED = "evicted"
    OTHER_OWNER = "other_owner"
    NOT_SUPPORTED = "not_supported"
    TOO_SHORT = "too_short"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMiss:
    """Where the reuse of a prompt stopped, and why.

    Attributes:
        reason: Why.
        message_index: The request's message that holds the first token that was not reused, counted from 0; None when
            it lies in none of them, or cannot be told.
        token_position: That token's place in the rendered prompt, counted from 0.
    """

    reason: CacheMissReason
    message_index: int | None
    token_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens read and written by one generation.

    Attributes:
        prompt_tokens: Tokens of the rendered prompt, cached ones included.
        cached_prompt_tokens: Prompt tokens whose computation was reused, 0 to prompt_tokens.
        cache_miss: Where reuse stopped, and why. None when all was reused that could be: up to the last token, or up to
            where the prompt goes on with what was never said before; or when the text generator does not tell.
        completion_tokens: Tokens drawn for the answer, its reasoning and the end token included.
        reasoning_tokens: Those of them that were reasoning, with the marks around it; 0 to completion_tokens.
        total_tokens: prompt_tokens + completion_tokens.
    """

    prompt_tokens: int
    cached_prompt_tokens: int = 0
    cache_miss: CacheMiss | None = None
    completion_tokens: int
    reasoning_tokens: int = 0
    total_tokens: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total_tokens", self.prompt_tokens + self.completion_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationTimings:
    """Where the time of one generation went.

    Attributes:
        queue_ms: From acceptance to the first work on the prompt, in milliseconds.
        prefill_ms: Work on the prompt, in milliseconds.
        time_to_first_token_ms: From acceptance to the first token, or to the end when there was none, in milliseconds.
        tokens_per_second: Tokens after the first, divided by the seconds they took; 0 when there was only one.
    """

    queue_ms: float
    prefill_ms: float
    time_to_first_token_ms: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the answers to a request.

    Attributes:
        text: The answer; empty when it consists of tool calls.
        reasoning: What the model thought before it; empty when it did not, or does not tell.
        finish_reason: Why it ended.
        stop_text: Which of the request's stop texts ended it; None when none did.
        logprobs: Its text's tokens, in order, but for an end token and those of a stop text alone; none unless asked
            for.
        tool_calls: What the model asks for, in order. Unless the answer ended with TOOL_CALLS, the last one may be cut,
            or not be what it should.
        detail: What is wrong with a tool call that is not whole; None when nothing is.
    """

    text: str
    reasoning: str = ""
    finish_reason: FinishReason
    stop_text: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    tool_calls: tuple[ToolCallPart, ...] = ()
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationResult:
    """A whole answer.

    Attributes:
        generation_id: The request's id.
        model: Id of the model that answered.
        created_s: When the request was accepted, in whole seconds since the Unix epoch.
        text: The answer; of several, the first.
        finish_reason: Why it ended.
        choices: All answers, in order; at least one.
        usage: Tokens read and written, those of all answers together.
        timings: Where the time went, for the first answer.
        warnings: What was done otherwise than asked, one sentence each.
    """

    generation_id: str
    model: ModelId
    created_s: int
    text: str
    finish_reason: FinishReason
    choices: tuple[Choice, ...]
    usage: TokenUsage
    timings: GenerationTimings
    warnings: tuple[str, ...]

    @property
    def reasoning(self) -> str:
        """What the model thought before its first answer."""
        return self.choices[0].reasoning

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls of the first answer."""
        return self.choices[0].tool_calls

    @property
    def detail(self) -> str | None:
        """What is wrong with a tool call of the first answer; None when nothing is."""
        return self.choices[0].detail


def _require_known_calls(messages: Sequence[Message]) -> None:
    """Makes sure that each result answers a call that was made before it."""
    known: set[str] = set()
    for message in messages:
        known |= {call.id for call in message.tool_calls}
        for result in message.tool_results:
            if result.call_id not in known:
                raise InvalidRequestError(
                    f"A tool message answers the call {result.call_id!r}, which no message before it makes.",
                    parameter="messages",
                )


def _require_within(parameter: str, value: float | None, low: float, high: float, *, above_low: bool = False) -> None:
    if value is None:
        return
    if not low <= value <= high or (above_low and value == low):
        rule = f"above {low:g}" if above_low else f"at least {low:g}"
        ceiling = "" if high == math.inf else f" and at most {high if isinstance(high, int) else f'{high:g}'}"
        raise InvalidRequestError(f"{parameter} must be {rule}{ceiling}, not {value!r}.", parameter=parameter)


def _require_whole_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(
            "The prompt holds a lone surrogate, which is not valid Unicode. Send whole characters.", parameter="prompt"
        ) from None
