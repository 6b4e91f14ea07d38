"""Generation suspenders that are wrong in one way each."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.broken_adapters.passing_text_generator import PassingTextGenerator
from cortex_contracts.generation_suspender import LONG_S, GenerationSuspenderHarness
from cortex_domain.engine_status import EngineStatus
from cortex_domain.errors import GenerationNotFoundError, ModelNotLoadedError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import ModelId
from cortex_domain.ports import EngineMonitor, GenerationSuspender, TextGenerator


class PassingGenerationSuspender(GenerationSuspender):
    """Wrong in no way yet: passes on what it is asked."""

    def __init__(self, inner: GenerationSuspender) -> None:
        self._inner = inner

    def suspend(self, generation_id: str, /, *, for_s: float) -> None:
        """Suspends."""
        self._inner.suspend(generation_id, for_s=for_s)

    def resume(self, generation_id: str, /) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """Resumes by `_resume`, which can be overridden."""
        return self._resume(generation_id)

    def model_of(self, generation_id: str, /) -> ModelId:
        """Tells the model."""
        return self._inner.model_of(generation_id)

    def discard(self, generation_id: str, /) -> None:
        """Discards."""
        self._inner.discard(generation_id)

    @asynccontextmanager
    async def _resume(self, generation_id: str) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with self._inner.resume(generation_id) as events:
            yield events


class CountsSuspended(EngineMonitor):
    """Watches an engine that computes what is suspended too."""

    def __init__(self, inner: EngineMonitor, suspender: "GoesOnComputing") -> None:
        self._inner = inner
        self._suspender = suspender

    def status(self) -> EngineStatus:
        """Counts what is suspended among what runs."""
        status = self._inner.status()
        return replace(status, active_requests=status.active_requests + self._suspender.suspended)


class GoesOnComputing(PassingGenerationSuspender):
    """Counts what it suspends."""

    suspended = 0

    def suspend(self, generation_id: str, /, *, for_s: float) -> None:
        """Suspends and counts."""
        super().suspend(generation_id, for_s=for_s)
        self.suspended += 1


class LosesWhatWasUnread(PassingGenerationSuspender):
    """Goes on one event too late."""

    @asynccontextmanager
    async def _resume(self, generation_id: str) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with self._inner.resume(generation_id) as events:
            await anext(events)
            yield events


class NamesOneModel(PassingGenerationSuspender):
    """Tells the model that it told last, whatever it is asked for."""

    _last: ModelId | None = None

    def model_of(self, generation_id: str, /) -> ModelId:
        """Asks once."""
        self._last = self._last or super().model_of(generation_id)
        return self._last


class SuspendsWhoeverLeaves(PassingTextGenerator):
    """Keeps every generation that is left."""

    def __init__(self, inner: TextGenerator, suspender: GenerationSuspender) -> None:
        super().__init__(inner)
        self._suspender = suspender

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        async with self._inner.generate_text(request) as events:
            yield events
            with suppress(GenerationNotFoundError):
                self._suspender.suspend(request.generation_id, for_s=LONG_S)


class ResumesWhatRuns(PassingGenerationSuspender):
    """Lets in whoever names a generation that was resumed already."""

    def __init__(self, inner: GenerationSuspender) -> None:
        super().__init__(inner)
        self._resumed: dict[str, AsyncIterator[GenerationEvent]] = {}

    def suspend(self, generation_id: str, /, *, for_s: float) -> None:
        """Suspends, and knows that it does not run any more."""
        super().suspend(generation_id, for_s=for_s)
        self._resumed.pop(generation_id, None)

    @asynccontextmanager
    async def _resume(self, generation_id: str) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        if generation_id in self._resumed:
            yield self._resumed[generation_id]
        else:
            async with self._inner.resume(generation_id) as events:
                self._resumed[generation_id] = events
                yield events


class SuspendsAnything(PassingGenerationSuspender):
    """Says nothing when there is nothing to suspend."""

    def suspend(self, generation_id: str, /, *, for_s: float) -> None:
        """Suspends, or does nothing."""
        with suppress(GenerationNotFoundError):
            super().suspend(generation_id, for_s=for_s)


class KeepsForEver(PassingGenerationSuspender):
    """Forgets how long to keep a generation."""

    def suspend(self, generation_id: str, /, *, for_s: float) -> None:  # noqa: ARG002 - the fault
        """Suspends for long."""
        super().suspend(generation_id, for_s=LONG_S)


class DiscardsNothing(PassingGenerationSuspender):
    """Keeps what is discarded."""

    def discard(self, generation_id: str, /) -> None:
        """Does nothing."""


class DropsWhatItRefuses(PassingGenerationSuspender):
    """Forgets a generation that cannot go on now."""

    @asynccontextmanager
    async def _resume(self, generation_id: str) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        try:
            async with self._inner.resume(generation_id) as events:
                yield events
        except ModelNotLoadedError:
            self._inner.discard(generation_id)
            raise


def _breakage(
    requirement: str, broken: Callable[[GenerationSuspender], GenerationSuspender]
) -> Breakage[GenerationSuspenderHarness]:
    return Breakage(
        f"generation_suspender.{requirement}",
        getattr(broken, "__name__", requirement),
        lambda harness: replace(harness, suspender=broken(harness.suspender)),
    )


def _goes_on_computing(harness: GenerationSuspenderHarness) -> GenerationSuspenderHarness:
    suspender = GoesOnComputing(harness.suspender)
    return replace(harness, suspender=suspender, monitor=CountsSuspended(harness.monitor, suspender))


def _suspends_whoever_leaves(harness: GenerationSuspenderHarness) -> GenerationSuspenderHarness:
    return replace(harness, generator=SuspendsWhoeverLeaves(harness.generator, harness.suspender))


BROKEN_GENERATION_SUSPENDERS = (
    Breakage("generation_suspender.takes_no_place", GoesOnComputing.__name__, _goes_on_computing),
    _breakage("goes_on_where_left", LosesWhatWasUnread),
    _breakage("names_model", NamesOneModel),
    Breakage("generation_suspender.left_is_gone", SuspendsWhoeverLeaves.__name__, _suspends_whoever_leaves),
    _breakage("open_is_not_suspended", ResumesWhatRuns),
    _breakage("suspends_what_is_open", SuspendsAnything),
    _breakage("kept_no_longer_than_asked", KeepsForEver),
    _breakage("discard_forgets", DiscardsNothing),
    _breakage("refusal_keeps_it", DropsWhatItRefuses),
)
