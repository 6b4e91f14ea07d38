"""Takes one run from its start to its value, and answers what the code asks for on the way."""

import asyncio
from collections.abc import Mapping, Sequence

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncFutureSnapshot,
    AsyncMontySession,
    AsyncNameLookupSnapshot,
    ExternalResult,
    MontyComplete,
    MountDir,
)

from cortex_adapters.monty.printed_text import PrintedText
from cortex_adapters.monty.told_value import NotJsonError, ValueTooLongError, as_json
from cortex_domain.code_execution import CodeFunction, CodeRequest

_Snapshot = AsyncFunctionSnapshot | AsyncFutureSnapshot | AsyncNameLookupSnapshot | MontyComplete
_SLEEP = "system.sleep"


class MontyRun:
    """One run in one session.

    Args:
        request: What to run.
        printed: Takes what it prints.
        mounts: Directories that it sees.
    """

    def __init__(self, request: CodeRequest, *, printed: PrintedText, mounts: Sequence[MountDir]) -> None:
        self._request = request
        self._printed = printed
        self._mounts = list(mounts)

    async def value(self, session: AsyncMontySession, /) -> object:
        """Runs the code and returns what its last line is worth.

        Raises:
            MontyError: It did not come to its end.
            ValueError: The value has an integer that is too long for Python to write.
        """
        step: _Snapshot = await session.feed_start(
            self._request.code,
            inputs=dict(self._request.inputs),
            print_callback=self._printed.take,
            mount=self._mounts,
        )
        while not isinstance(step, MontyComplete):
            step = await self._next(step)
        return step.output

    async def _next(self, step: AsyncFunctionSnapshot | AsyncFutureSnapshot | AsyncNameLookupSnapshot) -> _Snapshot:
        match step:
            case AsyncNameLookupSnapshot(object_id=None):
                return await self._look_up(step)
            case AsyncFunctionSnapshot(is_os_function=True, function_name=name) if name == _SLEEP:
                await asyncio.sleep(step.args[0])
                return await step.resume({"return_value": None})
            case AsyncFunctionSnapshot(is_os_function=False, object_id=None):
                return await step.resume(await self._call(str(step.function_name), step.args, step.kwargs))
            case _:
                return await step.resume_auto()  # files of the mounts, and refusals of all else

    async def _look_up(self, step: AsyncNameLookupSnapshot) -> _Snapshot:
        function = self._request.functions.get(step.variable_name)
        return await (step.resume() if function is None else step.resume(value=function))

    async def _call(self, name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> ExternalResult:
        function = self._request.functions.get(name)
        if function is None:
            return {"exception": NameError(f"name {name!r} is not defined")}
        try:
            return {"return_value": await self._returned(function, args, kwargs)}
        except Exception as exc:  # noqa: BLE001 - whatever it raises is raised inside the code
            return {"exception": RuntimeError(str(exc))}

    async def _returned(self, function: CodeFunction, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        limits = self._request.limits
        try:
            positional = [as_json(argument, max_bytes=limits.output_bytes) for argument in args]
            named = {name: as_json(argument, max_bytes=limits.output_bytes) for name, argument in kwargs.items()}
        except NotJsonError:
            raise TypeError("Give it what JSON can say: numbers, text, lists and dicts.") from None
        except ValueTooLongError:
            raise ValueError("These arguments are too long.") from None
        try:
            return as_json(await function(*positional, **named), max_bytes=limits.memory_bytes)
        except NotJsonError:
            raise TypeError("JSON cannot say what it returned.") from None
