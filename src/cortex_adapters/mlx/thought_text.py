"""Tells what a model thinks from what it says, by the marks around its thoughts."""

from collections.abc import Callable

from cortex_adapters.mlx.channel_text import Piece
from cortex_adapters.mlx.thinking_form import ThinkingForm
from cortex_domain.events import ReasoningDelta, TextDelta
from cortex_domain.stop_texts import StopTextFilter


class ThoughtText:
    """Splits one answer as it comes.

    Thoughts come first or not at all: a mark that the answer itself holds is text. Line ends beside a mark belong to
    it, as they do in the templates that put such messages together again.

    Args:
        form: How the model marks its thoughts.
        is_open: Whether the prompt has begun them.
    """

    def __init__(self, form: ThinkingForm, *, is_open: bool) -> None:
        self._start = StopTextFilter([form.start])
        self._end = StopTextFilter([form.end])
        self._blank = ""
        self._line_ends = ""
        self._has_thought = False
        self._take: Callable[[str], list[Piece]] = self._think if is_open else self._await_start

    @property
    def is_thinking(self) -> bool:
        """Whether the text is within the thoughts."""
        return self._take == self._think

    @property
    def may_begin(self) -> bool:
        """Whether there is nothing yet that tells whether the answer begins with thoughts."""
        return self._take == self._await_start

    @property
    def is_over(self) -> bool:
        """Whether all that follows is the answer, as it is."""
        return self._take == self._say

    def push(self, text: str, /) -> list[Piece]:
        """Takes the next text and returns what may be shown now."""
        return self._take(text)

    def flush(self) -> list[Piece]:
        """Returns what is still held; call it when no more text comes."""
        if self.is_thinking:
            return self._thought(self._end.flush())
        return self._say(self._blank + self._start.flush()) if self._take == self._await_start else []

    def _await_start(self, text: str) -> list[Piece]:
        """Waits for the mark; anything but blanks before it means that the answer has begun."""
        self._blank += self._start.push(text)
        if self._blank.strip():
            self._take = self._say
            return self._say(self._blank + (self._start.found or "") + self._start.rest + self._start.flush())
        if self._start.stopped:
            self._take = self._think
            return self._think(self._start.rest)
        return []

    def _think(self, text: str) -> list[Piece]:
        pieces = self._thought(self._end.push(text))
        if self._end.stopped:
            self._take = self._skip_line_ends
            pieces += self._skip_line_ends(self._end.rest)
        return pieces

    def _thought(self, text: str) -> list[Piece]:
        text = self._line_ends + (text if self._has_thought else text.lstrip("\n"))
        shown = text.rstrip("\n")
        self._line_ends = text[len(shown) :]
        self._has_thought = self._has_thought or bool(shown)
        return [ReasoningDelta(text=shown)] if shown else []

    def _skip_line_ends(self, text: str) -> list[Piece]:
        text = text.lstrip("\n")
        if text:
            self._take = self._say
        return self._say(text)

    def _say(self, text: str) -> list[Piece]:
        return [TextDelta(text=text)] if text else []
