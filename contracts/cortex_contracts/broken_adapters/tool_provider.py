"""Tool providers that are wrong in one way each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.tool_provider import ToolProviderHarness
from cortex_domain.errors import InvalidToolArgumentsError, ToolFailedError, ToolNotFoundError
from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput, ToolText


class _Passing(ToolProvider):
    """Wrong in no way yet."""

    def __init__(self, inner: ToolProvider) -> None:
        self._inner = inner

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        return await self._inner.list_tools()

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        return await self._inner.invoke(name, arguments, context)


class _ListsOneTwice(_Passing):
    async def list_tools(self) -> Sequence[ToolDescriptor]:
        listed = await super().list_tools()
        return [*listed, listed[0]]


class _ListsInTurns(_Passing):
    def __init__(self, inner: ToolProvider) -> None:
        super().__init__(inner)
        self._direction = 1

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        self._direction = -self._direction
        return (await super().list_tools())[:: self._direction]


class _HidesOne(_Passing):
    async def list_tools(self) -> Sequence[ToolDescriptor]:
        return (await super().list_tools())[1:]


class _DoesWhatNobodyCan(_Passing):
    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        try:
            return await super().invoke(name, arguments, context)
        except ToolNotFoundError:
            return ToolOutput()


class _TakesWrongArgumentsForAFailure(_Passing):
    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        try:
            return await super().invoke(name, arguments, context)
        except InvalidToolArgumentsError as exc:
            raise ToolFailedError(exc.message) from exc


class _ReturnsFailures(_Passing):
    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        try:
            return await super().invoke(name, arguments, context)
        except ToolFailedError as exc:
            return ToolOutput(content=(ToolText(text=f"Error: {exc.message}"),))


class _TakesTurns(_Passing):
    def __init__(self, inner: ToolProvider) -> None:
        super().__init__(inner)
        self._turn = asyncio.Lock()

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        async with self._turn:
            return await super().invoke(name, arguments, context)


class _KeepsProgress(_Passing):
    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        return await super().invoke(name, arguments, replace(context, report_progress=lambda *_: None))


class _GoesOnWhenCancelled(_Passing):
    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        """Leaves the work to itself, for long enough to be seen."""
        work = asyncio.create_task(self._inner.invoke(name, arguments, context))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(0.05, work.cancel)
            raise


def _breakage(requirement_id: str, broken: Callable[[ToolProvider], ToolProvider]) -> Breakage[ToolProviderHarness]:
    return Breakage(
        requirement_id, broken.__name__, lambda harness: replace(harness, provider=broken(harness.provider))
    )


BROKEN_TOOL_PROVIDERS = (
    _breakage("tool_provider.names_differ", _ListsOneTwice),
    _breakage("tool_provider.order_stays", _ListsInTurns),
    _breakage("tool_provider.listed_can_be_used", _HidesOne),
    _breakage("tool_provider.unknown_refused", _DoesWhatNobodyCan),
    _breakage("tool_provider.wrong_arguments_refused", _TakesWrongArgumentsForAFailure),
    _breakage("tool_provider.failure_is_raised", _ReturnsFailures),
    _breakage("tool_provider.uses_run_side_by_side", _TakesTurns),
    _breakage("tool_provider.progress_while_running", _KeepsProgress),
    _breakage("tool_provider.cancelling_ends_work", _GoesOnWhenCancelled),
)
