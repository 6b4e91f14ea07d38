"""Use case: make one tool call that may be made.

Whatever the tool does, the call ends with a `ToolFinished` that a model can read: no exception of a tool gets further
than here. One that is no deliberate error is a bug, of which the model is told nothing and `report_bug` everything.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

from cortex_domain.companion_calls import CompanionCalls
from cortex_domain.errors import (
    ContractViolationError,
    CortexError,
    RequestRefusedError,
    ResourceUnavailableError,
    ToolFailedError,
)
from cortex_domain.ports import Clock, TaskRunner, ToolProvider
from cortex_domain.tool_execution import (
    ToolCall,
    ToolContent,
    ToolContext,
    ToolDescriptor,
    ToolError,
    ToolEvent,
    ToolFinished,
    ToolOutput,
    ToolProgress,
    ToolStarted,
)
from cortex_domain.tool_output_bounds import ToolLimits, bounded_content, shortened
from cortex_domain.tool_plan import ToolTerms

ReportBug = Callable[[str, BaseException], None]
"""Takes the name of the tool and what it raised."""

MOST_ATTEMPTS: Final = 3
FIRST_PAUSE_S: Final = 0.2
"""Pause before the second attempt; each next one is twice as long."""


class UseTool:
    """Makes one call within its time, again if it failed for a moment and may be repeated.

    Args:
        provider: Offers the tool.
        runner: Gives up on a call that takes too long.
        clock: Tells how long it takes.
        report_bug: Told of what a tool raised that is no deliberate error.
        limits: How much it may return and tell.
    """

    def __init__(
        self,
        *,
        provider: ToolProvider,
        runner: TaskRunner,
        clock: Clock,
        report_bug: ReportBug,
        limits: ToolLimits = ToolLimits(),
    ) -> None:
        self._provider = provider
        self._runner = runner
        self._clock = clock
        self._report_bug = report_bug
        self._limits = limits

    async def __call__(
        self, call: ToolCall, tool: ToolDescriptor, terms: ToolTerms, tell: Callable[[ToolEvent], None], /
    ) -> None:
        """Makes the call; nobody is asked about it any more.

        Args:
            call: The call.
            tool: Its tool.
            terms: On whose behalf, and until when.
            tell: Takes what happens; the `ToolFinished` last.
        """
        started_s = self._clock.monotonic_s()
        progress = _Progress(call.id, self._clock, self._limits, tell)
        deadline_s = _deadline_s(tool, terms, started_s)
        companions = CompanionCalls(
            call, replace(terms, deadline_s=deadline_s), provider=self._provider, make_call=self._make_quietly
        )
        context = ToolContext(
            call_id=call.id,
            owner=terms.owner,
            run_id=terms.run_id,
            deadline_s=deadline_s,
            report_progress=progress.report,
            companions=companions,
        )
        use = _Use(call=call, tool=tool, context=context, companions=companions)
        if use.context.deadline_s > started_s:
            tell(ToolStarted(call_id=call.id, name=call.name, arguments=call.arguments))
            outcome = await self._outcome_in_time(use, use.context.deadline_s - started_s)
        else:
            outcome = _too_late(tool, attempts=0)
        progress.end()
        tell(outcome.finished(use, duration_s=self._clock.monotonic_s() - started_s))

    async def _make_quietly(self, call: ToolCall, tool: ToolDescriptor, terms: ToolTerms) -> ToolFinished:
        """Makes a call for another tool, whose own events are all that is told."""
        finished: list[ToolFinished] = []
        await self(call, tool, terms, lambda event: finished.append(event) if isinstance(event, ToolFinished) else None)
        return finished[0]

    async def _outcome_in_time(self, use: "_Use", seconds: float) -> "_Outcome":
        try:
            async with self._runner.timeout(seconds):
                return await self._outcome(use)
        except TimeoutError:
            return _too_late(use.tool, attempts=use.attempts)
        except ContractViolationError as exc:
            return self._bug(use.call, exc)

    async def _outcome(self, use: "_Use") -> "_Outcome":
        outcome = await self._attempt(use)
        while outcome.may_be_repeated and use.tool.is_idempotent and use.attempts < MOST_ATTEMPTS:
            await self._clock.sleep(FIRST_PAUSE_S * 2 ** (use.attempts - 1))
            outcome = await self._attempt(use)
        return outcome

    async def _attempt(self, use: "_Use") -> "_Outcome":
        use.attempts += 1
        try:
            output = await self._provider.invoke(use.call.name, use.call.arguments, use.context)
            return self._success(use, output)
        except (RequestRefusedError, ResourceUnavailableError, ToolFailedError) as exc:
            return self._failure(use, exc)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever it is, it ends this call and no other
            return self._bug(use.call, exc)

    def _bug(self, call: ToolCall, error: BaseException) -> "_Outcome":
        self._report_bug(call.name, error)
        return _Outcome(error=ToolError(code="internal_error", message="The tool failed. The log says why."))

    def _success(self, use: "_Use", output: ToolOutput) -> "_Outcome":
        content, is_truncated = bounded_content(output.content, self._limits)
        is_trusted = use.tool.is_trusted if output.is_trusted is None else output.is_trusted
        is_trusted = is_trusted and not use.companions.has_read_untrusted
        return _Outcome(content=content, is_trusted=is_trusted, is_truncated=is_truncated)

    def _failure(self, use: "_Use", error: CortexError) -> "_Outcome":
        """Tells of a deliberate error; what it says may come from wherever the tool's results come from."""
        is_transient = isinstance(error, ToolFailedError) and error.is_transient
        code = error.reason if isinstance(error, ToolFailedError) else error.code
        return _Outcome(
            error=ToolError(code=code, message=shortened(error.message, self._limits.message_characters)),
            is_trusted=use.tool.is_trusted and not use.companions.has_read_untrusted,
            may_be_repeated=is_transient or isinstance(error, ResourceUnavailableError),
        )


@dataclass(slots=True, kw_only=True)
class _Use:
    call: ToolCall
    tool: ToolDescriptor
    context: ToolContext
    companions: CompanionCalls
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    content: tuple[ToolContent, ...] = ()
    error: ToolError | None = None
    is_trusted: bool = True
    is_truncated: bool = False
    may_be_repeated: bool = False

    def finished(self, use: _Use, *, duration_s: float) -> ToolFinished:
        return ToolFinished(
            call_id=use.call.id,
            name=use.call.name,
            status="ok" if self.error is None else "error",
            content=self.content,
            error=self.error,
            is_trusted=self.is_trusted,
            is_truncated=self.is_truncated,
            attempts=use.attempts,
            duration_ms=duration_s * 1000,
        )


class _Progress:
    """Tells of progress while the call runs, not more often than is worth reading."""

    def __init__(self, call_id: str, clock: Clock, limits: ToolLimits, tell: Callable[[ToolEvent], None]) -> None:
        self._call_id = call_id
        self._clock = clock
        self._limits = limits
        self._tell = tell
        self._next_s = clock.monotonic_s()
        self._has_ended = False

    def report(self, message: str, fraction: float | None = None) -> None:
        now_s = self._clock.monotonic_s()
        if self._has_ended or now_s < self._next_s:
            return
        self._next_s = now_s + self._limits.progress_every_s
        told = shortened(message, self._limits.message_characters)
        self._tell(ToolProgress(call_id=self._call_id, message=told, fraction=_share(fraction)))

    def end(self) -> None:
        self._has_ended = True


def _deadline_s(tool: ToolDescriptor, terms: ToolTerms, started_s: float) -> float:
    own_deadline_s = started_s + tool.timeout_s
    return own_deadline_s if terms.deadline_s is None else min(own_deadline_s, terms.deadline_s)


def _too_late(tool: ToolDescriptor, *, attempts: int) -> _Outcome:
    message = f"The time for {tool.name!r} was over before it was done."
    if attempts and not tool.is_idempotent:
        message += " Whether it had an effect is not known."
    return _Outcome(error=ToolError(code="timeout", message=message))


def _share(fraction: float | None) -> float | None:
    if fraction is None or not isfinite(fraction):
        return None
    return min(1.0, max(0.0, fraction))
