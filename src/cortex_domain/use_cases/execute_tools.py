"""Use case: make the tool calls of a model, as the policies let it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from itertools import groupby
from typing import Final

from cortex_domain.ports import TaskRunner, ToolProvider
from cortex_domain.ports.task_runner import Producer
from cortex_domain.tool_execution import ToolCall, ToolError, ToolEvent, ToolFinished
from cortex_domain.tool_plan import PlannedCall, ToolTerms, plan_calls
from cortex_domain.tool_policy import ToolPermission
from cortex_domain.use_cases.use_tool import UseTool

MOST_AT_ONCE: Final = 8
"""Calls that run side by side, however many a model asks for."""


class ExecuteTools:
    """Makes calls whose tools are declared concurrent side by side, and any other by itself, in the order asked for.

    A concurrent call after one that is not waits for it: what reads comes after what was written before.

    Args:
        provider: Offers the tools.
        use_tool: Makes one call.
        runner: Runs several side by side.
    """

    def __init__(self, *, provider: ToolProvider, use_tool: UseTool, runner: TaskRunner) -> None:
        self._provider = provider
        self._use_tool = use_tool
        self._runner = runner

    async def plan(self, calls: Sequence[ToolCall], terms: ToolTerms, /) -> Sequence[PlannedCall]:
        """Tells what becomes of calls, without making any: whom to ask about, before they are made.

        Raises:
            ResourceUnavailableError: The tools cannot be listed now.
        """
        return plan_calls(calls, await self._provider.list_tools(), terms)

    def __call__(
        self, calls: Sequence[ToolCall], terms: ToolTerms, /
    ) -> AbstractAsyncContextManager[AsyncIterator[ToolEvent]]:
        """Makes calls, once the block is entered: `async with execute_tools(calls, terms) as events: …`.

        Each call has exactly one `ToolFinished`, and before it, if it was begun, a `ToolStarted` and perhaps progress.
        What the policies deny, and what a person has to approve and has not, is not begun and ends with an error.
        Leaving the block cancels what still runs, and waits for its end.

        Args:
            calls: Each with an id of its own.
            terms: The policies, the approvals, and on whose behalf.

        Raises:
            ResourceUnavailableError: On entering; the tools cannot be listed now.
        """
        return self._execute(calls, terms)

    @asynccontextmanager
    async def _execute(self, calls: Sequence[ToolCall], terms: ToolTerms) -> AsyncIterator[AsyncIterator[ToolEvent]]:
        planned = await self.plan(calls, terms)
        async with aclosing(self._events(planned, terms)) as events:
            yield events

    async def _events(self, planned: Sequence[PlannedCall], terms: ToolTerms) -> AsyncGenerator[ToolEvent, None]:
        for batch in _batches(planned):
            producers: list[Producer[ToolEvent]] = [partial(self._produce, call, terms) for call in batch]
            async with self._runner.run(producers) as events:
                async for event in events:
                    yield event

    async def _produce(self, planned: PlannedCall, terms: ToolTerms, tell: Callable[[ToolEvent], None]) -> None:
        if planned.tool is None or planned.permission is not ToolPermission.ALLOW:
            tell(_not_begun(planned))
            return
        await self._use_tool(planned.call, planned.tool, terms, tell)


def _batches(planned: Sequence[PlannedCall]) -> Iterator[Sequence[PlannedCall]]:
    for is_concurrent, group in groupby(planned, key=_is_concurrent):
        calls = list(group)
        size = MOST_AT_ONCE if is_concurrent else 1
        yield from (calls[start : start + size] for start in range(0, len(calls), size))


def _is_concurrent(planned: PlannedCall) -> bool:
    """Whether a call gets in nobody's way; one that is not made does not."""
    return planned.tool is None or planned.permission is not ToolPermission.ALLOW or planned.tool.is_concurrent


def _not_begun(planned: PlannedCall) -> ToolFinished:
    error = planned.error or ToolError(
        code="approval_required", message=f"A person has to approve this use of {planned.call.name!r} first."
    )
    return ToolFinished(
        call_id=planned.call.id, name=planned.call.name, status="error", error=error, attempts=0, duration_ms=0.0
    )
