"""Port: continues a chat by one answer."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import Capability


class TextGenerator(Protocol):
    """Runs requests on models that are loaded.

    Contract:
        - Entering accepts or refuses the request. Nothing is generated before, and a refusal emits no event.
        - The iterator follows the rules of `cortex_domain.event_stream`. `GenerationStarted` comes before any work on
          the prompt, deltas come as they are produced.
        - Leaving the block, for whatever reason and at any moment, cancels the work and frees its place; the events
          left unread are dropped.
        - Requests run side by side. What one request raises ends that request and no other.
        - `timeout_s` counts from entering. A request that is not accepted by then is refused; an answer that is not
          complete ends with `done`, as cancelled, with the usage and timings of what there is.
        - What a model thinks before it answers comes as `ReasoningDelta`, never as text; stop texts do not end it.
        - A text never holds half a character, nor the stop text that ended it, nor a part of one that is still open.
          What ends an answer names that stop text.
        - A `max_tokens` that does not fit beside the prompt is refused, or cut where the request has
          `shortens_to_fit`.
        - When `n` answers are asked for, the prompt is counted once in the usage, and each answer is the one that a
          request of its own would get, with the sampling of `SamplingParameters.for_choice`.
        - An answer that ends with `stop` satisfies the request's `output` as a whole, and ends by itself where nothing
          can be added; one that was cut is the beginning of an answer that would. A reasoning model thinks unbound.
        - When `logprobs` is given, each token drawn is told once, in order, with the delta that shows its text, but for
          an end token and for those whose whole text lies in the stop text that ended the answer. The text is the same.
        - A `prompt` is read as it stands: no template, nothing added but what the model's own tokenizer puts before
          every text; token ids are read as they are. With `echo` the first delta of each answer is the prompt, which
          counts neither as tokens drawn nor for stop texts; with `logprobs` too, its tokens come with it.
        - Tool calls follow the rules of `cortex_domain.tool_call_rules`. An answer that must call a tool does, with
          arguments that the tool's schema allows, as long as it is not cut; one that ends with `tool_calls` has whole
          calls only. With the choice none the model is not told of the tools.
        - A capability that is declared is honoured. A request that needs one that is not declared is refused.
    """

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[Capability]:
        """What this adapter honours on every model."""

    @abstractmethod
    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Generates one answer; `request.model` is the id of a loaded model.

        Raises:
            UnsupportedCapabilityError: On entering; the request needs what is not declared, or what this model is not
                able to: one that always thinks cannot be kept from it.
            ContextWindowExceededError: On entering; the prompt and the tokens asked for do not fit.
            InvalidRequestError: On entering; the model cannot take this request (its chat template refuses the order
                of roles, a token id lies outside its vocabulary, a prompt has no tokens), or its `output` or a tool's
                schema cannot be followed: it is malformed, asks for what is not supported, or is too complex; the
                parameter begins with `output` or `tools`. On iterating; it turned out too complex.
            InvalidModelError: On entering; the model's own chat template does not end.
            ModelNotLoadedError: On entering; the model is not in memory. On iterating; it was unloaded.
            MemoryExceededError: On entering; the prompt and the tokens asked for would take more memory than there is.
            MemoryPressureError: On entering; they would take more than is free now, whoever ends.
            GeneratorBusyError: On entering; too many requests wait. On iterating; the memory was too little after all.
            DeadlineExceededError: On entering; `timeout_s` has passed.
            GeneratorFailedError: On entering or iterating; the generator failed on its side.
            ShuttingDownError: On entering or iterating; the generator is stopping.
        """
