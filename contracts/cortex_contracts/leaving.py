"""Ways in which a reader leaves an answer before its end."""

import asyncio

from cortex_contracts.conversations import first_delta
from cortex_domain.generation import GenerationRequest
from cortex_domain.ports import TextGenerator


class _ReaderFailedError(Exception):
    pass


async def leave_at_once(generator: TextGenerator, request: GenerationRequest) -> None:
    """Leaves before the first event."""
    async with generator.generate_text(request):
        pass


async def leave_when_started(generator: TextGenerator, request: GenerationRequest) -> None:
    """Leaves after the first event."""
    async with generator.generate_text(request) as events:
        await anext(events)


async def leave_by_error(generator: TextGenerator, request: GenerationRequest) -> None:
    """Leaves with an error in the midst of the answer."""
    try:
        async with generator.generate_text(request) as events:
            await first_delta(events)
            _fail()
    except _ReaderFailedError:
        return
    raise AssertionError("The generator swallowed its reader's error.")


async def leave_by_cancellation(generator: TextGenerator, request: GenerationRequest) -> None:
    """Leaves because the task that reads is cancelled in the midst of the answer."""
    begun = asyncio.get_running_loop().create_future()

    async def read_on() -> None:
        async with generator.generate_text(request) as events:
            await first_delta(events)
            begun.set_result(None)
            await first_delta(events)
            await asyncio.Event().wait()

    reading = asyncio.create_task(read_on())
    await asyncio.wait([reading, begun], return_when=asyncio.FIRST_COMPLETED)
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()


WAYS_TO_LEAVE = (leave_at_once, leave_when_started, leave_by_error, leave_by_cancellation)


def _fail() -> None:
    raise _ReaderFailedError
