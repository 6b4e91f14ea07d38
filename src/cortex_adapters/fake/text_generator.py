"""Answers without a model: from a script, or by saying again what the user said."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from cortex_adapters.fake.choices import FakeChoices
from cortex_adapters.fake.echo_model import echo
from cortex_adapters.fake.example_outputs import example_output
from cortex_adapters.fake.generation import FakeGeneration
from cortex_adapters.fake.scripted_reply import ScriptedReply
from cortex_adapters.fake.scripted_tool_call import ScriptedToolCall
from cortex_adapters.fake.words import split_words
from cortex_domain.errors import (
    ContextWindowExceededError,
    GenerationNotFoundError,
    GeneratorFailedError,
    InvalidRequestError,
    ModelNotLoadedError,
    UnsupportedCapabilityError,
)
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest, ReasoningEffort
from cortex_domain.language_models import MODALITIES, Capability, LoadedModel, ModelId
from cortex_domain.messages import Message, Role
from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_domain.ports import Clock, GenerationSuspender, ModelLoader, PromptCounter, TextGenerator
from cortex_domain.token_logprobs import TokenLogprob

HONOURED = (
    frozenset(Capability) - MODALITIES - {Capability.REGEX_OUTPUT, Capability.LARK_OUTPUT, Capability.GBNF_OUTPUT}
)
"""What a fake can do: all but to see, to hear and to write by a grammar."""

_MAX_SUSPENDED = 1024
_IMPROBABLE = -50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suspended:
    generation: FakeGeneration | FakeChoices
    until_s: float


class FakeTextGenerator(TextGenerator, GenerationSuspender, PromptCounter):
    """Answers deterministically and suspends before every event, as an engine would make its callers wait.

    A word with the whitespace before it is one token; each message costs one more for its role. Whatever is said is
    sure; other words are all as improbable.

    Args:
        loader: Tells which models are loaded and how much they hold.
        clock: Tells the time and waits for the delays of a script.
        script: Replies, used in turn, one for each answer that is asked for; a text is said word by word. None says the
            last user message or the prompt again, or the results of tools that came after it, or an example of the
            output that is asked for, and before that thinks what was said if it is asked to think. A tool that must be
            called is called with an example of its arguments.
        capabilities: What is declared; requests that need anything else are refused. Without a script all that is
            about sampling is honoured. A script says what it says, whatever the sampling.
        default_max_tokens: Longest answer to a request that leaves `max_tokens` open.
    """

    def __init__(
        self,
        *,
        loader: ModelLoader,
        clock: Clock,
        script: Iterable[ScriptedReply | str] | None = None,
        capabilities: Iterable[Capability] = HONOURED,
        default_max_tokens: int = 2048,
    ) -> None:
        self._loader = loader
        self._clock = clock
        self._script = None if script is None else iter(script)
        self._capabilities = frozenset(capabilities)
        self._default_max_tokens = default_max_tokens
        self._vocabulary: dict[str, int] = {}
        self._running: dict[str, FakeGeneration | FakeChoices] = {}
        self._suspended: dict[str, _Suspended] = {}

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What was declared."""
        return self._capabilities

    @property
    def active_requests(self) -> int:
        """Generations whose block is open and that are not suspended."""
        return len(self._running)

    @property
    def suspended_generations(self) -> int:
        """Generations that are suspended."""
        return len(self._suspended)

    def encode(self, text: str, /) -> list[int]:
        """Returns the ids of a text's words, which `logit_bias` and `prompt` understand from then on."""
        return [self._token_id(word) for word in split_words(text)]

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Answers from the script, or says the last user message again."""
        return self._generate(request)

    def suspend(self, generation_id: str, /, *, for_s: float) -> None:
        """Keeps the generation as it stands."""
        generation = self._running.pop(generation_id, None)
        if generation is None:
            raise GenerationNotFoundError(generation_id=generation_id)
        until_s = self._clock.monotonic_s() + for_s
        self._suspended[generation_id] = _Suspended(generation=generation, until_s=until_s)
        while len(self._suspended) > _MAX_SUSPENDED:
            del self._suspended[next(iter(self._suspended))]

    def model_of(self, generation_id: str, /) -> ModelId:
        """Tells which model answers."""
        return self._find_suspended(generation_id).model_id

    def resume(self, generation_id: str, /) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Goes on where the generation stands."""
        return self._resume(generation_id)

    def discard(self, generation_id: str, /) -> None:
        """Forgets a suspended generation."""
        self._suspended.pop(generation_id, None)

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        """Counts words and roles."""
        await self._clock.sleep(0)
        self._require_capabilities(request)
        self._find_loaded(request.model)
        return self._prompt_tokens(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        await self._clock.sleep(0)
        generation = self._accept(request)
        with self._run(request.generation_id, generation):
            yield generation

    @asynccontextmanager
    async def _resume(self, generation_id: str) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        await self._clock.sleep(0)
        generation = self._find_suspended(generation_id)
        generation.move_to(self._find_loaded(generation.model_id))
        del self._suspended[generation_id]
        with self._run(generation_id, generation):
            yield generation

    def _find_suspended(self, generation_id: str) -> FakeGeneration | FakeChoices:
        now_s = self._clock.monotonic_s()
        self._suspended = {name: kept for name, kept in self._suspended.items() if now_s < kept.until_s}
        if generation_id not in self._suspended:
            raise GenerationNotFoundError(generation_id=generation_id)
        return self._suspended[generation_id].generation

    @contextmanager
    def _run(self, generation_id: str, generation: FakeGeneration | FakeChoices) -> Iterator[None]:
        self._running[generation_id] = generation
        try:
            yield
        finally:
            if self._running.get(generation_id) is generation:
                del self._running[generation_id]

    def _accept(self, request: GenerationRequest) -> FakeGeneration | FakeChoices:
        self._require_capabilities(request)
        model = self._find_loaded(request.model)
        prompt_tokens = self._prompt_tokens(request)
        max_tokens = self._fit(request, prompt_tokens, model.context_window)
        answers = [
            FakeGeneration(
                request=request,
                reply=self._next_reply(request, max_tokens),
                prompt_tokens=prompt_tokens,
                max_tokens=max_tokens,
                model=model,
                loader=self._loader,
                clock=self._clock,
                tell_token=None if request.logprobs is None else partial(self._tell_token, request.logprobs),
                echoed=self._prompt_words(request.prompt) if request.echo and request.prompt is not None else (),
            )
            for _ in range(request.n)
        ]
        return answers[0] if request.n == 1 else FakeChoices(answers)

    def _require_capabilities(self, request: GenerationRequest) -> None:
        for capability, parameter in request.needs.items():
            if capability not in self._capabilities:
                raise UnsupportedCapabilityError(capability=capability, model_id=request.model, parameter=parameter)

    def _find_loaded(self, model_id: ModelId) -> LoadedModel:
        for model in self._loader.loaded():
            if model.id == model_id:
                return model
        raise ModelNotLoadedError(model_id=model_id)

    def _fit(self, request: GenerationRequest, prompt_tokens: int, context_window: int) -> int:
        room = context_window - prompt_tokens
        wanted = None if request.shortens_to_fit else request.max_tokens
        if room < (wanted or 1):
            raise ContextWindowExceededError(
                prompt_tokens=prompt_tokens, max_tokens=wanted, context_window=context_window
            )
        return wanted or min(request.max_tokens or self._default_max_tokens, room)

    def _next_reply(self, request: GenerationRequest, max_tokens: int) -> ScriptedReply:
        if self._script is None:
            return self._own_reply(request, max_tokens)
        reply = next(self._script, None)
        if reply is None:
            raise GeneratorFailedError("The script of the fake text generator has no reply left.")
        if isinstance(reply, str):
            return ScriptedReply.saying(reply)
        if reply.refusal is not None:
            raise reply.refusal
        return replace(reply, reasoning=()) if request.reasoning_effort is ReasoningEffort.NONE else reply

    def _own_reply(self, request: GenerationRequest, max_tokens: int) -> ScriptedReply:
        text = self._said_last(request)
        thinks = request.reasoning_effort not in (None, ReasoningEffort.NONE)
        reasoning = tuple(split_words(text)) if thinks else ()
        if request.tool_choice.is_forced:
            return ScriptedReply(reasoning=reasoning, tool_calls=(_call_of_tool(request),))
        return ScriptedReply(reasoning=reasoning, pieces=self._pieces(request, text, max_tokens))

    def _pieces(self, request: GenerationRequest, text: str, max_tokens: int) -> tuple[str, ...]:
        if request.output is not None:
            return tuple(split_words(example_output(request.output)))
        return tuple(islice(echo(text, request.sampling, self._word_bias(request)), max_tokens))

    def _said_last(self, request: GenerationRequest) -> str:
        if request.prompt is not None:
            return "".join(self._prompt_words(request.prompt))
        return _last_text(request.messages)

    def _prompt_tokens(self, request: GenerationRequest) -> int:
        if request.prompt is not None:
            return len(self._prompt_words(request.prompt))
        return sum(1 + len(split_words(text)) for text in _texts_of(request))

    def _prompt_words(self, prompt: str | tuple[int, ...]) -> list[str]:
        return split_words(prompt) if isinstance(prompt, str) else list(self._words(prompt, parameter="prompt"))

    def _word_bias(self, request: GenerationRequest) -> Mapping[str, float]:
        biases = request.sampling.logit_bias
        return dict(zip(self._words(biases, parameter="logit_bias"), biases.values(), strict=True))

    def _words(self, token_ids: Iterable[int], *, parameter: str) -> Iterator[str]:
        words = {token_id: word for word, token_id in self._vocabulary.items()}
        for token_id in token_ids:
            if token_id not in words:
                raise InvalidRequestError(
                    f"The vocabulary has no token {token_id}. Leave it out of {parameter}.", parameter=parameter
                )
            yield words[token_id]

    def _token_id(self, word: str) -> int:
        return self._vocabulary.setdefault(word, len(self._vocabulary))

    def _tell_token(self, alternatives: int, word: str) -> TokenLogprob:
        drawn = self._token(word, 0.0)
        others = [other for other in islice(self._vocabulary, alternatives) if other != word]
        ranked = (drawn, *(self._token(other, _IMPROBABLE) for other in others))
        return replace(drawn, top=ranked[:alternatives])

    def _token(self, word: str, logprob: float) -> TokenLogprob:
        return TokenLogprob(token_id=self._token_id(word), text=word, bytes=tuple(word.encode()), logprob=logprob)


def _last_text(messages: Sequence[Message]) -> str:
    """Finds what the user said last, or what tools returned after that; nothing if neither said anything."""
    last = next((message for message in reversed(messages) if message.role in (Role.USER, Role.TOOL)), None)
    if last is None:
        return ""
    return last.text or " ".join(result.text for result in last.tool_results)


def _texts_of(request: GenerationRequest) -> Iterator[str]:
    """Tells what a prompt is made of."""
    for tool in request.offered_tools:
        yield f"{tool.name} {tool.description}"
    for message in request.messages:
        calls = [f"{call.name} {call.arguments}" for call in message.tool_calls]
        yield " ".join([message.text, *calls, *(result.text for result in message.tool_results)])


def _call_of_tool(request: GenerationRequest) -> ScriptedToolCall:
    """Calls the tool that is named, or the first."""
    tool = next(tool for tool in request.tools if request.tool_choice.name in (None, tool.name))
    try:
        arguments = example_output(JsonSchemaOutput(schema={"type": "object", **tool.parameters}))
    except InvalidRequestError as error:
        raise InvalidRequestError(error.message, parameter="tools") from error
    return ScriptedToolCall(name=tool.name, arguments=tuple(split_words(arguments)))
