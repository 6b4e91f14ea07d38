"""The events of one answer's tool calls."""

from collections.abc import Iterator

from cortex_domain.events import ToolCallDelta, ToolCallFinished


class ToldCalls:
    """Numbers calls and gives them ids, the same whenever the same answer is read.

    Attributes:
        open_name: The tool of the call that has begun and is not whole; None when there is none.
        whole: How many calls are whole.

    Args:
        call_ids: What each id begins with.
    """

    def __init__(self, call_ids: str) -> None:
        self.open_name: str | None = None
        self.whole = 0
        self._call_ids = call_ids
        self._arguments = ""

    def begin(self, name: str) -> ToolCallDelta:
        """Begins the next call."""
        self.open_name, self._arguments = name, ""
        return self._delta(name, "")

    def go_on(self, arguments: str) -> Iterator[ToolCallDelta]:
        """Adds to the arguments of the open call."""
        assert self.open_name is not None
        if arguments:
            self._arguments += arguments
            yield self._delta(self.open_name, arguments)

    def finish(self) -> ToolCallFinished:
        """Ends the open call."""
        assert self.open_name is not None
        finished = ToolCallFinished(index=self.whole, id=self._id, name=self.open_name, arguments=self._arguments)
        self.open_name = None
        self.whole += 1
        return finished

    def tell(self, name: str, arguments: str) -> Iterator[ToolCallDelta | ToolCallFinished]:
        """Tells a call that is known as a whole."""
        yield self.begin(name)
        yield from self.go_on(arguments)
        yield self.finish()

    @property
    def _id(self) -> str:
        return f"{self._call_ids}{self.whole:02d}"

    def _delta(self, name: str, arguments: str) -> ToolCallDelta:
        return ToolCallDelta(index=self.whole, id=self._id, name=name, arguments=arguments)
