"""The outputs of several jobs, the answers to one request, as one stream."""

from collections import deque
from collections.abc import AsyncIterator, Sequence

from cortex_adapters.mlx.job_stream import JobStream
from cortex_domain.events import GenerationEvent, GenerationFinished
from cortex_domain.merged_choices import MergedChoices


class ChoiceStreams(AsyncIterator[GenerationEvent]):
    """Takes from whichever stream has something, each in its turn, so that none waits for another.

    Args:
        streams: One an answer, in order, at least two; all share one `arrived`.
    """

    def __init__(self, streams: Sequence[JobStream]) -> None:
        self._arrived = streams[0].arrived
        self._turns = deque(enumerate(streams))
        self._merged = MergedChoices(len(streams))
        self._told: deque[GenerationEvent] = deque()
        self._ended = False

    async def __anext__(self) -> GenerationEvent:
        """Returns the next event.

        Raises:
            CortexError: One of the jobs ended with this error.
            StopAsyncIteration: All of them are over.
        """
        if self._ended:
            raise StopAsyncIteration
        while not self._told:
            if not self._take():
                self._arrived.clear()
                await self._arrived.wait()
        event = self._told.popleft()
        self._ended = isinstance(event, GenerationFinished)
        return event

    def _take(self) -> bool:
        """Takes an event of the first stream that has one and puts it last in turn; returns whether there was any."""
        for _ in range(len(self._turns)):
            choice, stream = self._turns[0]
            event = stream.take()
            self._turns.rotate(-1)
            if event is not None:
                self._told.extend(self._merged.take(choice, event))
                return True
        return False
