"""Renders a chat to prompt tokens: the model's own chat template, then its tokenizer.

A template is a program that came with the model. It runs in the sandbox that transformers gives it, off the event loop
and off the engine's thread, and is stopped at a deadline.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import jinja2

from cortex_adapters.mlx.abortable_thread import run_abortable
from cortex_domain.errors import GeneratorFailedError, InvalidModelError, InvalidRequestError
from cortex_domain.language_models import ModelId
from cortex_domain.messages import Message

RENDERING_DEADLINE_S = 10.0
_RENDERINGS_AT_ONCE = 2
# No tokenizer packs ordinary text more tightly, so what is cut off here was beyond the window anyway.
_MAX_CHARACTERS_PER_TOKEN = 32


class Tokenizer(Protocol):
    """What is used of mlx-lm's tokenizer wrapper."""

    has_chat_template: bool

    def apply_chat_template(
        self, conversation: Sequence[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """Renders the chat to text."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Turns text into token ids."""


class PromptRenderer:
    """Renders prompts, a few at a time."""

    def __init__(self, *, deadline_s: float = RENDERING_DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(_RENDERINGS_AT_ONCE)

    async def render(
        self, tokenizer: Tokenizer, messages: Sequence[Message], /, *, model_id: ModelId, context_window: int
    ) -> list[int]:
        """Renders a chat, ready for the assistant's turn, to token ids.

        A text that is far beyond the context window is cut before it is tokenized, to a length that is beyond it too.

        Raises:
            InvalidRequestError: The template refuses these messages, or they render to nothing.
            InvalidModelError: The model has no chat template, or its template does not end.
            GeneratorFailedError: The tokenizer failed.
        """
        if not tokenizer.has_chat_template:
            raise InvalidModelError(model_id=model_id, reason="it has no chat template, so it cannot answer chats")
        longest = context_window * _MAX_CHARACTERS_PER_TOKEN

        def render_now() -> list[int]:
            return _tokenize(tokenizer, _apply_template(tokenizer, messages)[:longest])

        try:
            async with self._slots:
                tokens = await run_abortable(render_now, deadline_s=self._deadline_s)
        except (TimeoutError, MemoryError) as error:
            reason = f"its chat template did not end within {self._deadline_s:g} s and the memory at hand"
            raise InvalidModelError(model_id=model_id, reason=reason) from error
        if not tokens:
            raise InvalidRequestError("The messages render to an empty prompt.", parameter="messages")
        return tokens


def _apply_template(tokenizer: Tokenizer, messages: Sequence[Message]) -> str:
    conversation = [{"role": message.role.value, "content": message.text} for message in messages]
    try:
        return tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise InvalidRequestError(
            f"The model's chat template refuses these messages: {error}", parameter="messages"
        ) from error


def _tokenize(tokenizer: Tokenizer, text: str) -> list[int]:
    try:
        return tokenizer.encode(text, add_special_tokens=False)
    except Exception as error:
        # The tokenizers library raises bare Exception.
        raise GeneratorFailedError(f"The model's tokenizer failed: {error}") from error
