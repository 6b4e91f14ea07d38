"""One agent run that a WebSocket connection follows: its events, numbered as in its log, to the last one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cortex_domain.errors import CortexError
from cortex_entrypoints.agent_runs import AgentRuns
from cortex_entrypoints.http.agent_run_frames import record_fields
from cortex_entrypoints.http.error_responses import error_facts, log_error
from cortex_entrypoints.http.event_encoding import encode_fields
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.response_bodies import ErrorEvent
from cortex_entrypoints.http.run_following import until_draining

logger = logging.getLogger(__name__)

BeginRun = Callable[[], Awaitable[str]]
"""Starts a run, or finds one, and tells its id."""


class SocketRun:
    """Follows a run and can be told to cancel it. A connection that ends leaves the run as it is.

    Args:
        request_id: The client's name for it.
        begin: Starts or finds the run.
        after: Number of the last event that the client has; 0 for none.
        runs: Lets it be followed and cancelled.
        send: Hands a message to the connection's writer; may wait for room.
    """

    def __init__(
        self,
        request_id: str,
        *,
        begin: BeginRun,
        after: int,
        runs: AgentRuns,
        send: Callable[[str], Awaitable[None]],
    ) -> None:
        self._request_id = request_id
        self._begin = begin
        self._after = after
        self._runs = runs
        self._send = send
        self._run_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self, *, in_flight: InFlight) -> None:
        """Sends the run's events; returns when the last one is on its way, or when the server stops."""
        try:
            await self._follow(in_flight)
        except CortexError as error:
            log_error(error)
            await self._emit(ErrorEvent(error=error_facts(error)).model_dump())
        except Exception as error:
            logger.exception("Following an agent run failed")
            await self._emit(ErrorEvent(error=error_facts(error)).model_dump())
        finally:
            self._run_id.cancel()

    async def cancel(self) -> None:
        """Cancels the run, for all who follow it; its last event says so."""
        try:
            run_id = await asyncio.shield(self._run_id)
        except asyncio.CancelledError:
            if not self._run_id.cancelled():
                raise
            return  # it never began
        await self._runs.cancel(run_id, owner=None)

    async def _follow(self, in_flight: InFlight) -> None:
        with in_flight.admitted():
            run_id = await self._begin()
        self._run_id.set_result(run_id)
        async with self._runs.follow(run_id, owner=None, after=self._after) as records:
            async for record in until_draining(records, in_flight.draining):
                await self._emit(record_fields(record))

    async def _emit(self, fields: dict[str, object]) -> None:
        await self._send(encode_fields({"sequence": 0, **fields, "request_id": self._request_id}))
