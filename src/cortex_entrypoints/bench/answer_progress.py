"""An answer while it comes."""

import time

from cortex_entrypoints.bench.dialects import StreamNews
from cortex_entrypoints.bench.measurements import Answer, Usage


class AnswerProgress:
    """Notes what arrives, and when."""

    def __init__(self) -> None:
        """Begins now: the request is about to be sent."""
        self._sent_s = time.perf_counter()
        self._texts_s: list[float] = []
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._error: str | None = None
        self._is_complete = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to come."""
        return self._is_complete or self._error is not None

    def take(self, news: StreamNews) -> None:
        """Notes what one event says."""
        if news.has_text:
            self._texts_s.append(time.perf_counter())
        self._usage = news.usage or self._usage
        self._finish_reason = news.finish_reason or self._finish_reason
        self._error = news.error or self._error
        self._is_complete = self._is_complete or news.is_last

    def fail(self, error: str) -> None:
        """Notes what went wrong."""
        self._error = error

    def answer(self) -> Answer:
        """Ends now, and returns what was seen."""
        return Answer(
            sent_s=self._sent_s,
            ended_s=time.perf_counter(),
            texts_s=tuple(self._texts_s),
            usage=self._usage,
            finish_reason=self._finish_reason,
            error=self._error,
        )
