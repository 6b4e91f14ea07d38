"""Counts and logs every use of a tool, whoever asked for it: a person, a chat or an agent."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from cortex_domain.errors import CortexError, ToolFailedError
from cortex_domain.ports import Clock, ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput
from cortex_entrypoints.observation.log_lines import facts
from cortex_entrypoints.tool_tally import ToolOutcome, ToolTally

logger = logging.getLogger(__name__)


class WatchedToolProvider(ToolProvider):
    """Passes everything on and notes what was used; arguments and results it does not look at.

    Args:
        provider: Offers the tools.
        tally: Where it counts.
        clock: Tells how long a use takes.
    """

    def __init__(self, provider: ToolProvider, *, tally: ToolTally, clock: Clock) -> None:
        self._provider = provider
        self._tally = tally
        self._clock = clock

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools."""
        return await self._provider.list_tools()

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        """Uses a tool."""
        started_s = self._clock.monotonic_s()
        outcome, code = ToolOutcome.FAILED, "internal_error"
        try:
            output = await self._provider.invoke(name, arguments, context)
            outcome, code = ToolOutcome.OK, ""
        except CortexError as exc:
            code = exc.reason if isinstance(exc, ToolFailedError) else exc.code
            raise
        except asyncio.CancelledError:
            outcome, code = ToolOutcome.GIVEN_UP, ""
            raise
        else:
            return output
        finally:
            self._note(name, outcome, code or None, context, self._clock.monotonic_s() - started_s)

    def _note(self, name: str, outcome: ToolOutcome, code: str | None, context: ToolContext, seconds: float) -> None:
        self._tally.add(name, outcome, seconds=seconds)
        noted = facts(
            tool=name,
            outcome=outcome.value,
            code=code,
            call_id=context.call_id,
            run_id=context.run_id,
            owner=context.owner,
            duration_ms=round(seconds * 1000, 1),
        )
        logger.info("tool used", extra=noted)
