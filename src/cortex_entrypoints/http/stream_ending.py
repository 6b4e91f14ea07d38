"""Holds an event stream to its end: nothing after its last event, and never without one."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, TypeVar

from cortex_domain.errors import ContractViolationError
from cortex_domain.events import GenerationEvent, GenerationFinished, PullEvent, PullFinished

EventT = TypeVar("EventT", bound=GenerationEvent | PullEvent)


LAST_EVENTS: Final = (GenerationFinished, PullFinished)


async def until_last(events: AsyncIterator[EventT], /) -> AsyncGenerator[EventT, None]:
    """Passes events on up to the last one.

    Raises:
        ContractViolationError: The stream stopped before.
    """
    async for event in events:
        yield event
        if isinstance(event, LAST_EVENTS):
            return
    raise ContractViolationError("The event stream stopped without its last event.")
