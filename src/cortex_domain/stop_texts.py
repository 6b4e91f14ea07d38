"""Ends a text at a stop text, whatever the boundaries of the pieces in which it comes."""

from collections.abc import Sequence


class StopTextFilter:
    """Lets text through up to the first stop text.

    That is the one that is complete first; of those that end together, the longest. A suffix that may still become a
    stop text is held back until the next text decides.

    Attributes:
        found: The stop text that was found; nothing passes after that. None before.
        rest: What followed it in the text that completed it.
    """

    def __init__(self, stop_texts: Sequence[str]) -> None:
        self._stop_texts = tuple(stop_texts)
        self._held = ""
        self.found: str | None = None
        self.rest = ""

    @property
    def stopped(self) -> bool:
        """Whether a stop text was found."""
        return self.found is not None

    def push(self, text: str, /) -> str:
        """Takes the next text and returns what may be shown now; may be empty."""
        if self.stopped:
            return ""
        text = self._held + text
        endings = [(begin + len(stop), begin, stop) for stop in self._stop_texts if (begin := text.find(stop)) >= 0]
        if endings:
            end, begin, self.found = min(endings)
            self._held, self.rest = "", text[end:]
            return text[:begin]
        shown = len(text) - self._open_length(text)
        self._held = text[shown:]
        return text[:shown]

    def flush(self) -> str:
        """Returns what is still held; call it when no more text comes."""
        text, self._held = self._held, ""
        return text

    def _open_length(self, text: str) -> int:
        """Length of the longest suffix of `text` that begins a stop text."""
        return max((_overlap(text, stop) for stop in self._stop_texts), default=0)


def _overlap(text: str, stop: str) -> int:
    longest = min(len(text), len(stop) - 1)
    return next((length for length in range(longest, 0, -1) if text.endswith(stop[:length])), 0)
