"""The rules of the tool calls within one answer, and what they add up to.

Calls come one after the other, counted from 0: a `ToolCallDelta` that names the call and holds nothing of its arguments
yet, any number that hold the next piece, and a `ToolCallFinished` with the whole. Text may stand between calls. A call
that is not finished, because the answer was cut or is not what it should be, is the answer's last.
"""

from cortex_domain.events import ToolCallDelta, ToolCallFinished
from cortex_domain.generation import FinishReason
from cortex_domain.messages import ToolCallPart
from cortex_domain.stream_violations import require


class ToolCallRules:
    """Follows the calls of one answer and raises at the first event that breaks the order.

    Raises:
        ContractViolationError: From every method.
    """

    def __init__(self) -> None:
        self._finished: list[ToolCallPart] = []
        self._open: ToolCallPart | None = None
        self._is_given_up = False

    @property
    def calls(self) -> tuple[ToolCallPart, ...]:
        """All calls so far; one that is open is the last, with what there is of its arguments."""
        return (*self._finished, *(() if self._open is None else (self._open,)))

    def accept_delta(self, delta: ToolCallDelta, /) -> None:
        """Takes the next piece of a call."""
        require(delta.index == len(self._finished), "a 'tool_call_delta' is of another call than the open or next one")
        if self._open is None:
            self._begin(delta)
        else:
            self._go_on(self._open, delta)

    def accept_end(self, event: ToolCallFinished, /) -> None:
        """Takes the end of a call."""
        told = ToolCallPart(id=event.id, name=event.name, arguments=event.arguments)
        is_open = event.index == len(self._finished) and not self._is_given_up
        require(is_open and told == self._open, "a 'tool_call' is not what its 'tool_call_delta' add up to")
        self._finished.append(told)
        self._open = None

    def accept_text(self) -> None:
        """Takes the news that the answer goes on with text: an open call is given up."""
        self._is_given_up = self._open is not None

    def close(self, reason: FinishReason, detail: str | None, /) -> None:
        """Takes the end of the answer."""
        is_whole = self._open is None
        if reason is FinishReason.TOOL_CALLS:
            require(bool(self._finished) and is_whole, "the answer ended with 'tool_calls' and has no whole call")
        if reason is FinishReason.STOP:
            require(not self._finished or not is_whole, "an answer with tool calls ended with 'stop'")
        require(
            is_whole or detail is not None or reason is FinishReason.CANCELLED,
            "a tool call is not finished, and no detail says why",
        )

    def _begin(self, delta: ToolCallDelta) -> None:
        require(not delta.arguments, "the first 'tool_call_delta' of a call has arguments already")
        is_new = all(delta.id != call.id for call in self._finished)
        require(bool(delta.id and delta.name) and is_new, "a tool call has no name, or no id of its own")
        self._open = ToolCallPart(id=delta.id, name=delta.name, arguments="")

    def _go_on(self, call: ToolCallPart, delta: ToolCallDelta) -> None:
        require(not self._is_given_up, "a tool call goes on after other text")
        require((delta.id, delta.name) == (call.id, call.name), "a tool call changed its id or name")
        require(bool(delta.arguments), "a 'tool_call_delta' is empty")
        self._open = ToolCallPart(id=call.id, name=call.name, arguments=call.arguments + delta.arguments)
