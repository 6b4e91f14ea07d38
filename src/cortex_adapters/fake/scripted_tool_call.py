"""A tool call that a fake model was told to make."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from cortex_adapters.fake.words import split_words
from cortex_domain.events import ToolCallDelta, ToolCallFinished


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedToolCall:
    """One call. Its beginning counts as a token, and so does each piece of its arguments.

    Attributes:
        name: The tool.
        arguments: Pieces of the arguments, none empty. When they are not the JSON text of an object, the answer ends
            within this call.
        id: The call's id, drawn unless it is given.
    """

    name: str
    arguments: tuple[str, ...]
    id: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex}")

    @classmethod
    def to(cls, name: str, /, **arguments: object) -> Self:
        """Builds a call of a tool with these arguments, word by word."""
        return cls(name=name, arguments=tuple(split_words(json.dumps(arguments, ensure_ascii=False))))

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are the JSON text of an object."""
        try:
            return isinstance(json.loads("".join(self.arguments)), dict)
        except ValueError:
            return False

    def events(self, index: int) -> Iterator[tuple[ToolCallDelta | ToolCallFinished, ...]]:
        """Makes the events of each of its tokens.

        Args:
            index: Its place among the answer's calls.
        """
        pieces = ("", *self.arguments)
        for position, piece in enumerate(pieces, start=1):
            delta = ToolCallDelta(index=index, id=self.id, name=self.name, arguments=piece)
            yield (delta, *(self._end(index) if position == len(pieces) else ()))

    def _end(self, index: int) -> tuple[ToolCallFinished, ...]:
        if not self.is_whole:
            return ()
        return (ToolCallFinished(index=index, id=self.id, name=self.name, arguments="".join(self.arguments)),)
