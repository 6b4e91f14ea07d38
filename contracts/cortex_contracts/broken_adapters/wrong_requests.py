"""Text generators that ask their engine for something else than they were asked."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from cortex_contracts.broken_adapters.passing_text_generator import PassingTextGenerator
from cortex_contracts.conversations import COUNTING
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest, ReasoningEffort, SamplingParameters
from cortex_domain.language_models import Capability
from cortex_domain.messages import ContentPart, Message, user_message
from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_domain.ports import TextGenerator

Ask = Callable[[GenerationRequest], GenerationRequest]


class Asking(PassingTextGenerator):
    """Turns each request into another one."""

    def __init__(self, inner: TextGenerator, ask: Ask) -> None:
        super().__init__(inner)
        self._ask = ask

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with self._inner.generate_text(self._ask(request)) as events:
            yield events


class Undeclaring(Asking):
    """Does not declare a capability, and leaves it out in silence where it should refuse."""

    def __init__(self, inner: TextGenerator, ask: Ask, capability: Capability) -> None:
        super().__init__(inner, ask)
        self._capability = capability

    @property
    def capabilities(self) -> frozenset[Capability]:
        """One capability less."""
        return super().capabilities - {self._capability}


def doubles_short_answers(request: GenerationRequest) -> GenerationRequest:
    """Lets short answers be twice as long."""
    if request.max_tokens is None or request.max_tokens > 50:
        return request
    return replace(request, max_tokens=2 * request.max_tokens)


def never_shortens(request: GenerationRequest) -> GenerationRequest:
    """Holds a max_tokens that may be cut to the context window."""
    return replace(request, shortens_to_fit=False)


def ignores_deadlines(request: GenerationRequest) -> GenerationRequest:
    """Takes its time."""
    return replace(request, timeout_s=None)


def ignores_stop_texts(request: GenerationRequest) -> GenerationRequest:
    """Leaves the stop texts out."""
    return replace(request, stop=())


def ignores_bans(request: GenerationRequest) -> GenerationRequest:
    """Leaves out the biases that keep tokens away."""
    allowed = {token_id: bias for token_id, bias in request.sampling.logit_bias.items() if bias > 0}
    return replace(request, sampling=replace(request.sampling, logit_bias=allowed))


def ignores_choices(request: GenerationRequest) -> GenerationRequest:
    """Gives one answer."""
    return replace(request, n=1)


def forgets_required_properties(request: GenerationRequest) -> GenerationRequest:
    """Allows objects that lack what a schema requires."""
    if not isinstance(request.output, JsonSchemaOutput):
        return request
    return replace(request, output=JsonSchemaOutput(schema={**request.output.schema, "required": []}))


def makes_sense_of_nonsense(request: GenerationRequest) -> GenerationRequest:
    """Allows any object where a schema asks for a type that is none."""
    if not isinstance(request.output, JsonSchemaOutput) or request.output.schema["type"] == "object":
        return request
    return replace(request, output=JsonSchemaOutput(schema={"type": "object"}))


def never_thinks(request: GenerationRequest) -> GenerationRequest:
    """Answers at once."""
    return replace(request, reasoning_effort=None)


def always_thinks(request: GenerationRequest) -> GenerationRequest:
    """Thinks, though it was asked not to."""
    thinks = request.reasoning_effort is ReasoningEffort.NONE
    return replace(request, reasoning_effort=ReasoningEffort.HIGH) if thinks else request


def ignores_logprobs(request: GenerationRequest) -> GenerationRequest:
    """Tells nothing of tokens."""
    return replace(request, logprobs=None)


def ignores_echo(request: GenerationRequest) -> GenerationRequest:
    """Gives no prompt back."""
    return replace(request, echo=False)


def answers_prompts(request: GenerationRequest) -> GenerationRequest:
    """Takes a prompt for what a user says in a chat."""
    if request.prompt is None or request.echo:
        return request
    text = request.prompt if isinstance(request.prompt, str) else COUNTING
    return replace(request, prompt=None, messages=(user_message(text),))


def ignoring_parts(kind: type[ContentPart]) -> Ask:
    """Builds one that leaves out parts of a kind."""

    def ignore(message: Message) -> Message:
        return replace(message, parts=tuple(part for part in message.parts if not isinstance(part, kind)))

    return lambda request: replace(request, messages=tuple(ignore(message) for message in request.messages))


def ignoring(parameter: str) -> Ask:
    """Builds one that leaves out a sampling parameter."""
    neutral = getattr(SamplingParameters(), parameter)
    return lambda request: replace(request, sampling=replace(request.sampling, **{parameter: neutral}))


def ignoring_output(capability: Capability) -> Ask:
    """Builds one that says what it likes instead of what an output of this kind allows."""

    def ignore(request: GenerationRequest) -> GenerationRequest:
        is_bound = request.output is not None and request.output.capability is capability
        return replace(request, output=None) if is_bound else request

    return ignore
