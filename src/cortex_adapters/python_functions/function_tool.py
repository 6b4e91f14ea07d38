"""A function that is a tool."""

import asyncio
import functools
import inspect
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Generic, ParamSpec, TypeVar

from cortex_adapters.python_functions.interruptible_thread import run_in_thread
from cortex_adapters.python_functions.returned_content import output_of
from cortex_adapters.python_functions.tool_parameters import ToolParameters
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput

Parameters = ParamSpec("Parameters")
ReturnT = TypeVar("ReturnT")

_MOST_WAITING: Final = 64


class FunctionTool(Generic[Parameters, ReturnT]):
    """Calls its function, as Python does or as a tool.

    Args:
        function: The function; `async` or not.
        descriptor: What it is as a tool.
        parameters: What it takes.

    Attributes:
        descriptor: What it is as a tool.
        needs_thread: Whether its function is not `async`.
    """

    def __init__(
        self, function: Callable[Parameters, ReturnT], *, descriptor: ToolDescriptor, parameters: ToolParameters
    ) -> None:
        functools.update_wrapper(self, function)
        self.descriptor = descriptor
        self.needs_thread = not inspect.iscoroutinefunction(function)
        self._function = function
        self._parameters = parameters

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> ReturnT:
        """Calls the function itself."""
        return self._function(*args, **kwargs)

    async def invoke(self, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        """Uses the tool.

        Raises:
            InvalidToolArgumentsError: The arguments are not what its parameters say.
            Exception: Whatever the function raises.
        """
        read = self._parameters.read(arguments, tool_name=self.descriptor.name)
        progress = _Progress(context)
        if self._parameters.context_name is not None:
            read[self._parameters.context_name] = replace(context, report_progress=progress.report)
        try:
            return output_of(await self._returned(read))
        finally:
            progress.end()

    async def _returned(self, arguments: Mapping[str, Any]) -> object:
        call: Callable[[], Any] = functools.partial(self._function, **arguments)
        if self.needs_thread:
            return await run_in_thread(call, name=self.descriptor.name)
        return await call()


class _Progress:
    """Carries progress from any thread to the event loop, until the use has ended.

    Of more than the loop gets to, the latest is kept.
    """

    def __init__(self, context: ToolContext) -> None:
        self._tell = context.report_progress
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: deque[tuple[str, float | None]] = deque(maxlen=_MOST_WAITING)
        self._lock = threading.Lock()
        self._is_read_soon = False
        self._has_ended = False

    def report(self, message: str, fraction: float | None = None) -> None:
        """Tells it in the order in which it is reported, the function's own end included."""
        if self._has_ended:
            return
        if threading.get_ident() == self._thread:
            self._tell(message, fraction)
            return
        with self._lock:
            self._waiting.append((message, fraction))
            is_first, self._is_read_soon = not self._is_read_soon, True
        if is_first:
            self._loop.call_soon_threadsafe(self._pass_on)

    def end(self) -> None:
        self._has_ended = True

    def _pass_on(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
            self._is_read_soon = False
        for message, fraction in () if self._has_ended else waiting:
            self._tell(message, fraction)
