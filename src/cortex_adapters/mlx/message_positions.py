"""Tells which message of a chat a token of the rendered prompt belongs to, without rendering anything again."""

from collections.abc import Sequence
from typing import Protocol

from cortex_domain.messages import Message


class Decoder(Protocol):
    """What is used of mlx-lm's tokenizer wrapper."""

    def decode(self, token_ids: Sequence[int], /) -> str:
        """Turns token ids into text."""


def message_at(decoder: Decoder, messages: Sequence[Message], prompt: Sequence[int], position: int, /) -> int | None:
    """Finds the message at a token: the first one that does not end before it.

    The texts of the messages are looked for in the text of the prompt, in order. What stands between two of them, such
    as the template's mark of a role, counts for the second.

    Args:
        decoder: Reads the prompt.
        messages: The chat.
        prompt: Its rendering in tokens.
        position: The token, 0 to the prompt's length.

    Returns:
        The message's index. None when there are none, when the token comes after all of them, or when the template
        changed the text of one before it, so that it is not found.
    """
    if position == 0:
        return 0 if messages else None
    reached = len(decoder.decode(prompt[:position]))
    text, end = decoder.decode(prompt), 0
    for index, message in enumerate(messages):
        content = message.text.strip()
        start = text.find(content, end)
        if start < 0:
            return None
        end = start + len(content)
        if end >= reached:
            return index
    return None
