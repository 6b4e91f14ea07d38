"""Makes tokens of a prompt that is no chat: as it stands, without a template."""

from typing import Protocol

from cortex_domain.errors import InvalidRequestError


class Encoder(Protocol):
    """What is used of mlx-lm's tokenizer wrapper."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Turns text into token ids."""


# No tokenizer packs ordinary text more tightly, so what is cut off here was beyond the window anyway.
_MAX_CHARACTERS_PER_TOKEN = 32


def longest_text(context_window: int | None, /) -> int | None:
    """Returns how many characters of a text are worth tokenizing: more than any window of so many tokens holds."""
    return None if context_window is None else context_window * _MAX_CHARACTERS_PER_TOKEN


def encode_prompt(
    tokenizer: Encoder, prompt: str | tuple[int, ...], /, *, context_window: int | None
) -> tuple[int, ...]:
    """Turns a prompt into tokens: special texts into control tokens, and the tokenizer's own beginning before them.

    Args:
        tokenizer: The model's.
        prompt: The text, or its tokens, which are taken as they are.
        context_window: In tokens; None cuts nothing.

    Raises:
        InvalidRequestError: There is nothing to continue.
        Exception: Whatever the tokenizer raises.
    """
    if not isinstance(prompt, str):
        return prompt
    tokens = tokenizer.encode(prompt[: longest_text(context_window)], add_special_tokens=True)
    if not tokens:
        raise InvalidRequestError("The prompt has no tokens for this model.", parameter="prompt")
    return tuple(tokens)
