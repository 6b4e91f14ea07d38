"""Keeps what code prints, up to a limit."""

import asyncio
from typing import Literal


class PrintedText:
    """Takes what is printed, from any thread.

    Args:
        max_bytes: What is kept of both streams together, in bytes of UTF-8.

    Attributes:
        is_full: Done when there was more than that.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self.is_full: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room = max_bytes
        self._streams: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

    def take(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Keeps a text, or its beginning."""
        encoded = text.encode("utf-8", "replace")
        self._streams[stream].append(encoded[: self._room])
        if len(encoded) > self._room:
            self.is_full.get_loop().call_soon_threadsafe(self._tell_full)
        self._room = max(0, self._room - len(encoded))

    def read(self, stream: Literal["stdout", "stderr"]) -> str:
        """Returns what was kept; a character that the limit cut is left out."""
        return b"".join(self._streams[stream]).decode("utf-8", "ignore")

    def _tell_full(self) -> None:
        if not self.is_full.done():
            self.is_full.set_result(None)
