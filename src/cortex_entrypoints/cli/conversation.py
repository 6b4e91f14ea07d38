"""A chat that is printed while it is answered."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cortex_domain import (
    ChoiceFinished,
    GenerationEvent,
    GenerationFinished,
    GenerationRequest,
    GenerationStarted,
    Message,
    ModelId,
    PrefillProgress,
    ReasoningDelta,
    SamplingParameters,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
    assistant_message,
    system_message,
    user_message,
)
from cortex_entrypoints.cli.outcome import tell_warning
from cortex_entrypoints.cli.terminal_text import printable
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """What the command line says about the answers; None leaves a value to the settings.

    Attributes:
        model: Id or alias.
        system: Text of a system message.
        temperature: See `SamplingParameters`.
        top_p: See `SamplingParameters`.
        max_tokens: See `GenerationRequest`.
        seed: See `SamplingParameters`.
        lora_weights: See `LoadOptions`.
        kv_cache_bits: See `LoadOptions`.
        draft_model: Id or alias; see `LoadOptions`.
    """

    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    lora_weights: Path | None = None
    kv_cache_bits: int | None = None
    draft_model: str | None = None

    def sampling(self, settings: Settings) -> SamplingParameters:
        """Fills in what the settings say.

        Raises:
            InvalidRequestError: A value is out of range.
        """
        return SamplingParameters(
            temperature=settings.default_temperature if self.temperature is None else self.temperature,
            top_p=settings.default_top_p if self.top_p is None else self.top_p,
            seed=self.seed,
        )


class Conversation:
    """Keeps what was said and asks for more.

    Args:
        cortex: Answers.
        model: Id or alias of the model that answers.
        options: What the command line says.
        settings: What holds where it says nothing.

    Raises:
        InvalidRequestError: An option is out of range.
    """

    def __init__(self, *, cortex: Cortex, model: ModelId, options: ChatOptions, settings: Settings) -> None:
        self._cortex = cortex
        self._model = model
        self._sampling = options.sampling(settings)
        self._max_tokens = options.max_tokens
        self._opening = () if options.system is None else (system_message(options.system),)
        self._messages: tuple[Message, ...] = self._opening

    def forget(self) -> None:
        """Begins anew with the same options."""
        self._messages = self._opening

    async def ask(self, question: str) -> None:
        """Prints the answer as it comes. What was printed before a failure or a cancellation stays in the chat.

        Raises:
            CortexError: The question could not be answered, or not to its end.
        """
        answer: list[str] = []
        try:
            await self._print_answer(question, answer)
        finally:
            if answer:
                self._messages = (*self._messages, user_message(question), assistant_message("".join(answer)))
                _write("\n")

    async def _print_answer(self, question: str, answer: list[str]) -> None:
        request = GenerationRequest(
            model=self._model,
            messages=(*self._messages, user_message(question)),
            sampling=self._sampling,
            max_tokens=self._max_tokens,
        )
        with ExitStack() as waiting:
            waiting.enter_context(Console(stderr=True).status(f"{self._model} is thinking"))
            async with self._cortex.generate_text(request) as events:
                async for event in events:
                    _print_event(event, answer, waiting)


def _print_event(event: GenerationEvent, answer: list[str], waiting: ExitStack) -> None:
    match event:
        case GenerationStarted(warnings=warnings):
            for warning in warnings:
                tell_warning(warning)
        case TextDelta(text=text):
            waiting.close()
            answer.append(text)
            _write(text)
        case PrefillProgress() | ReasoningDelta() | ToolCallDelta() | ToolCallFinished():
            pass
        case ChoiceFinished() | GenerationFinished():
            pass


def _write(text: str) -> None:
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()
