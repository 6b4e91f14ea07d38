"""Keeps texts that look like control tokens from becoming control tokens.

Chat templates mark turns with special tokens such as `<|im_end|>`. Someone who writes that text in a message would end
the turn and could speak as the system. So such texts are taken out of messages before the template sees them, and put
back as ordinary text once the template's own special tokens have been recognised.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator

Encode = Callable[[str], list[int]]


class LiteralTexts:
    """Takes the special texts out of one chat and puts them back as ordinary tokens.

    Args:
        special_texts: Texts that the tokenizer turns into control tokens.
    """

    def __init__(self, special_texts: Iterable[str]) -> None:
        # Longest first: an alternative that begins like a longer one would hide it.
        longest_first = sorted(filter(None, special_texts), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        # Private-use characters with a secret between them: no message can hold one by intent.
        self._mark = f"\ue000{secrets.token_hex(8)}\ue001"
        self._taken: list[str] = []

    def take_out(self, text: str, /) -> str:
        """Replaces each special text in a message by a mark."""
        return self._special.sub(self._take, text) if self._special is not None else text

    def encode(self, rendered: str, encode: Encode, /) -> list[int]:
        """Turns the rendered chat into token ids, with what was taken out as ordinary text.

        Args:
            rendered: The chat as the template rendered it, or its beginning.
            encode: Turns text into token ids and recognises special texts.
        """
        if not self._taken:
            return encode(rendered)
        return [token for piece in self._pieces(rendered) for token in encode(piece)]

    def _take(self, found: re.Match[str]) -> str:
        self._taken.append(found.group())
        return f"{self._mark}{len(self._taken) - 1}\ue001"

    def _pieces(self, rendered: str) -> Iterator[str]:
        """Cuts a rendered chat so that no piece holds a special text that was taken out."""
        parts = re.split(rf"{self._mark}(\d+)\ue001", rendered)
        for index, part in enumerate(parts):
            if index % 2:
                yield from self._harmless(self._taken[int(part)])
            elif part:
                yield part

    def _harmless(self, text: str) -> Iterator[str]:
        """Cuts a text after the first character of each special text in it."""
        assert self._special is not None
        while (found := self._special.search(text)) is not None:
            yield text[: found.start() + 1]
            text = text[found.start() + 1 :]
        if text:
            yield text
