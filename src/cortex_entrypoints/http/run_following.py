"""Following an agent run for as long as the server serves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from cortex_domain.agent_run_events import AgentRunRecord


async def until_draining(
    records: AsyncIterator[AgentRunRecord], draining: asyncio.Event
) -> AsyncGenerator[AgentRunRecord, None]:
    """Passes records on until there are no more, or until the server stops."""
    stopping = asyncio.ensure_future(draining.wait())
    try:
        while True:
            following = asyncio.ensure_future(anext(records))
            try:
                await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    return
                yield following.result()
            except StopAsyncIteration:
                return
            finally:
                following.cancel()
                await asyncio.wait({following})  # or what it reads could not be closed
    finally:
        stopping.cancel()
