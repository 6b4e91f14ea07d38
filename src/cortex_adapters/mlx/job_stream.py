"""One job's outputs on their way from the engine to the reader."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

from cortex_adapters.mlx.jobs import is_last
from cortex_domain.errors import CortexError
from cortex_domain.events import GenerationEvent, GenerationStarted, ReasoningDelta, TextDelta, ToolCallDelta


class JobStream(AsyncIterator[GenerationEvent]):
    """Holds what the reader has not taken yet; used on the event loop only.

    Text that waits is joined to one delta, so a reader who is slow or stopped costs no more than the answer's length,
    and the engine never waits for one.

    Attributes:
        has_begun: Whether the engine has reported any work.
        arrived: Set when there is something to take; whoever reads clears it.

    Args:
        arrived: That of another stream, for one who reads both.
    """

    def __init__(self, arrived: asyncio.Event | None = None) -> None:
        self.has_begun = False
        self.arrived = arrived or asyncio.Event()
        self._waiting: deque[GenerationEvent | CortexError] = deque()
        self._ended = False

    @property
    def is_complete(self) -> bool:
        """Whether its last output has arrived."""
        return self._ended or (bool(self._waiting) and is_last(self._waiting[-1]))

    def begin(self, started: GenerationStarted, /) -> None:
        """Puts the first event before whatever has arrived."""
        self._waiting.appendleft(started)
        self.arrived.set()

    def put(self, output: GenerationEvent | CortexError, /) -> None:
        """Adds the next output; an error is raised to the reader after what came before it."""
        self.has_begun = True
        self._waiting.append(self._joined(output))
        self.arrived.set()

    async def __anext__(self) -> GenerationEvent:
        """Returns the next event.

        Raises:
            CortexError: The job ended with this error.
            StopAsyncIteration: The job is over.
        """
        if self._ended:
            raise StopAsyncIteration
        while (event := self.take()) is None:
            self.arrived.clear()
            await self.arrived.wait()
        return event

    def take(self) -> GenerationEvent | None:
        """Returns the next event that is here already; None when there is none.

        Raises:
            CortexError: The job ended with this error.
        """
        if not self._waiting:
            return None
        output = self._waiting.popleft()
        self._ended = is_last(output)
        if isinstance(output, CortexError):
            raise output
        return output

    def _joined(self, output: GenerationEvent | CortexError) -> GenerationEvent | CortexError:
        last = self._waiting[-1] if self._waiting else None
        if isinstance(output, TextDelta) and isinstance(last, TextDelta):
            self._waiting.pop()
            return replace(output, text=last.text + output.text, logprobs=last.logprobs + output.logprobs)
        if isinstance(output, ReasoningDelta) and isinstance(last, ReasoningDelta):
            self._waiting.pop()
            return replace(output, text=last.text + output.text)
        if isinstance(output, ToolCallDelta) and isinstance(last, ToolCallDelta) and last.arguments:
            # One that holds arguments already is no beginning, so the next one goes on with the same call.
            self._waiting.pop()
            return replace(output, arguments=last.arguments + output.arguments)
        return output
