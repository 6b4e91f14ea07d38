"""Measures and logs every generation, whatever door it came through."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from typing import Any, Final

from cortex_domain.errors import CortexError, ResourceUnavailableError
from cortex_domain.events import (
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from cortex_domain.generation import GenerationRequest
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.observation.gap_histograms import GapHistogram
from cortex_entrypoints.observation.log_lines import facts
from cortex_entrypoints.observation.metrics import Metrics

logger = logging.getLogger(__name__)

CANCELLED_BY_CLIENT: Final = "cancelled by its client"
"""What a task is cancelled with when a client asks for it: `task.cancel(CANCELLED_BY_CLIENT)`."""


class Cause(StrEnum):
    """Why a generation was left before its end."""

    CLIENT_CANCELLED = "client_cancelled"
    CLIENT_LEFT = "client_left"
    SERVER_STOPPED = "server_stopped"


class WatchedGenerations:
    """Passes everything on and notes what happened.

    Args:
        cortex: What it watches.
        metrics: Where it counts.
        is_stopping: Tells whether the server ends what still runs.
        shows_prompts: Whether prompts are logged at level DEBUG.
    """

    def __init__(
        self,
        cortex: Cortex,
        *,
        metrics: Metrics,
        is_stopping: Callable[[], bool],
        shows_prompts: bool,
    ) -> None:
        self._cortex = cortex
        self._metrics = metrics
        self._is_stopping = is_stopping
        self._shows_prompts = shows_prompts

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Is a `TextGeneration`."""
        if self._shows_prompts:
            texts = [message.text for message in request.messages] or [str(request.prompt)]
            logger.debug("prompt", extra=facts(generation_id=request.generation_id, texts=texts))
        watch = self._watch(generation_id=request.generation_id, owner=request.owner or None)
        return self._watched(self._cortex.generate_text(request), watch)

    def resume_generation(self, generation_id: str, /) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Is a `TextResumption`."""
        return self._resumed(generation_id)

    @asynccontextmanager
    async def _resumed(self, generation_id: str) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        model = self._cortex.generation_suspender.model_of(generation_id)
        self._metrics.generations_resumed.inc()
        logger.info("generation resumed", extra=facts(generation_id=generation_id, model=model))
        watch = self._watch(generation_id=generation_id, model=model)
        async with self._watched(self._cortex.resume_generation(generation_id), watch) as events:
            yield events

    def _watch(self, *, generation_id: str, owner: str | None = None, model: str | None = None) -> "_Watch":
        return _Watch(
            self._metrics, self._cortex.clock.monotonic_s, generation_id=generation_id, owner=owner, model=model
        )

    @asynccontextmanager
    async def _watched(
        self, stream: AbstractAsyncContextManager[AsyncIterator[GenerationEvent]], watch: "_Watch"
    ) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        try:
            with self._metrics.generations_in_flight.track_inprogress():
                async with stream as events:
                    yield _WatchedEvents(events, watch)
        except BaseException as error:
            watch.error = watch.error or error
            raise
        finally:
            watch.conclude(is_stopping=self._is_stopping())


class _WatchedEvents(AsyncIterator[GenerationEvent]):
    def __init__(self, events: AsyncIterator[GenerationEvent], watch: "_Watch") -> None:
        self._next = events.__anext__
        self._watch = watch

    async def __anext__(self) -> GenerationEvent:
        try:
            event = await self._next()
        except Exception as error:  # the end of the stream too: before its last event that is a failure
            self._watch.error = error
            raise
        self._watch.note(event)
        return event


class _Watch:
    """What is known of one generation so far.

    Attributes:
        error: What ended it, if anything did but its last event.
    """

    def __init__(
        self,
        metrics: Metrics,
        monotonic_s: Callable[[], float],
        *,
        generation_id: str,
        owner: str | None,
        model: str | None,
    ) -> None:
        self.error: BaseException | None = None
        self._generation_id = generation_id
        self._owner = owner
        self._model = model
        self._metrics = metrics
        self._monotonic_s = monotonic_s
        self._asked_s = monotonic_s()
        self._last_text_s = 0.0
        self._first_text_s: float | None = None
        self._gaps: GapHistogram | None = None
        self._started: GenerationStarted | None = None
        self._finished: GenerationFinished | None = None

    def note(self, event: GenerationEvent) -> None:
        """Takes what happened."""
        if isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta):
            self._note_text()
        elif isinstance(event, GenerationStarted):
            self._started = event
            self._model = event.model
            self._metrics.prompt_tokens.labels(event.model).inc(event.prompt_tokens)
        elif isinstance(event, GenerationFinished):
            self._finished = event

    def conclude(self, *, is_stopping: bool) -> None:
        """Counts and logs how it ended."""
        if self._finished is not None:
            self._conclude_finished(self._finished)
        elif isinstance(self.error, Exception) and not is_stopping:
            self._conclude_failed(self.error)
        else:
            self._conclude_cancelled(Cause.SERVER_STOPPED if is_stopping else _cause(self.error))

    def _note_text(self) -> None:
        now_s = self._monotonic_s()
        if self._gaps is not None:
            self._gaps.observe(now_s - self._last_text_s)
        elif self._model is not None:
            self._gaps = self._metrics.inter_token.of(self._model)
            if self._started is not None:  # not where a resumed one goes on
                self._first_text_s = now_s
                self._metrics.time_to_first_token.labels(self._model).observe(now_s - self._asked_s)
        self._last_text_s = now_s

    def _conclude_finished(self, finished: GenerationFinished) -> None:
        model = self._model or ""
        usage, timings, metrics = finished.usage, finished.timings, self._metrics
        metrics.generations_finished.labels(model, finished.finish_reason.value).inc()
        metrics.cached_prompt_tokens.labels(model).inc(usage.cached_prompt_tokens)
        if usage.cached_prompt_tokens:
            metrics.prefix_cache_hits.labels(model).inc()
        if usage.cache_miss is not None:
            metrics.prefix_cache_misses.labels(model, usage.cache_miss.reason.value).inc()
        metrics.completion_tokens.labels(model).inc(usage.completion_tokens)
        metrics.queue.labels(model).observe(timings.queue_ms / 1000)
        metrics.prefill.labels(model).observe(timings.prefill_ms / 1000)
        metrics.generation_duration.labels(model).observe(self._monotonic_s() - self._asked_s)
        self._log(
            "generation finished",
            finish_reason=finished.finish_reason.value,
            cached_prompt_tokens=usage.cached_prompt_tokens,
            completion_tokens=usage.completion_tokens,
            queue_ms=round(timings.queue_ms, 1),
            prefill_ms=round(timings.prefill_ms, 1),
        )

    def _conclude_failed(self, error: Exception) -> None:
        code = error.code if isinstance(error, CortexError) else "internal_error"
        reason = error.reason if isinstance(error, ResourceUnavailableError) else None
        self._metrics.generations_failed.labels(code, reason or "").inc()
        self._log("generation failed", code=code, reason=reason)

    def _conclude_cancelled(self, cause: Cause) -> None:
        self._metrics.generations_cancelled.labels(cause.value).inc()
        self._log("generation cancelled", cause=cause.value)

    def _log(self, message: str, **more: object) -> None:
        if logger.isEnabledFor(logging.INFO):
            logger.info(message, extra=facts(**self._facts(), **more))

    def _facts(self) -> dict[str, Any]:
        first_s = self._first_text_s
        return {
            "generation_id": self._generation_id,
            "model": self._model,  # None until that is known, whatever the client asked for
            "owner": self._owner,
            "prompt_tokens": self._started and self._started.prompt_tokens,
            "first_token_ms": None if first_s is None else _milliseconds(first_s - self._asked_s),
            "total_ms": _milliseconds(self._monotonic_s() - self._asked_s),
        }


def _cause(error: BaseException | None) -> Cause:
    was_asked_for = isinstance(error, asyncio.CancelledError) and CANCELLED_BY_CLIENT in error.args
    return Cause.CLIENT_CANCELLED if was_asked_for else Cause.CLIENT_LEFT


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)
