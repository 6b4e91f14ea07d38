"""Tells what a model thinks from what it says where both come as messages on channels, as gpt-oss writes them.

`<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…`: what is on the channel
`analysis` is thought, what is on any other one is said, and the headers are neither
(https://cookbook.openai.com/articles/openai-harmony).
"""

from collections.abc import Callable
from typing import Final

from cortex_domain.events import ReasoningDelta, TextDelta
from cortex_domain.stop_texts import StopTextFilter

CHANNEL: Final = "<|channel|>"
MESSAGE: Final = "<|message|>"
START: Final = "<|start|>"
END: Final = "<|end|>"
_ANALYSIS: Final = "analysis"

Piece = ReasoningDelta | TextDelta


class ChannelText:
    """Splits one answer as it comes. One that does not begin with a header is said as it is."""

    def __init__(self) -> None:
        self._head = ""
        self._header = StopTextFilter([MESSAGE])
        self._body = StopTextFilter([END])
        self._take: Callable[[str], list[Piece]] = self._read_header

    @property
    def is_thinking(self) -> bool:
        """Whether the text is on the channel of thoughts."""
        return self._take == self._think

    @property
    def may_begin(self) -> bool:
        """Whether a token that brings no text may belong to what is said."""
        return self._take == self._speak

    @property
    def is_over(self) -> bool:
        """Whether all that follows is the answer, as it is."""
        return self._take == self._say

    def push(self, text: str, /) -> list[Piece]:
        """Takes the next text and returns what may be shown now."""
        return self._take(text)

    def flush(self) -> list[Piece]:
        """Returns what is still held, but for a header; call it when no more text comes."""
        rest = self._body.flush()
        return _thought(rest) if self.is_thinking else self._say(rest)

    def _read_header(self, text: str) -> list[Piece]:
        self._head += self._header.push(text)
        if self._header.stopped:
            channel = self._head.partition(CHANNEL)[2].split()
            self._body = StopTextFilter([END])
            self._take = self._think if channel[:1] == [_ANALYSIS] else self._speak
            return self._take(self._header.rest)
        begun = self._head.lstrip()
        if any(mark.startswith(begun) or begun.startswith(mark) for mark in (CHANNEL, START)):
            return []
        self._take = self._say
        return self._say(self._head + self._header.flush())

    def _think(self, text: str) -> list[Piece]:
        return _thought(self._body.push(text)) + self._after_body()

    def _speak(self, text: str) -> list[Piece]:
        return self._say(self._body.push(text)) + self._after_body()

    def _after_body(self) -> list[Piece]:
        if not self._body.stopped:
            return []
        self._head, self._header = "", StopTextFilter([MESSAGE])
        self._take = self._read_header
        return self._read_header(self._body.rest)

    def _say(self, text: str) -> list[Piece]:
        return [TextDelta(text=text)] if text else []


def _thought(text: str) -> list[Piece]:
    return [ReasoningDelta(text=text)] if text else []
