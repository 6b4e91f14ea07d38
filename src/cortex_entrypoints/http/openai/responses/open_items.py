"""Items that the model is saying just now: each writes the events of its own beginning, growth and end."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from cortex_entrypoints.http.openai.responses.output_items import (
    ItemStatus,
    OutputContent,
    OutputItem,
    OutputMessage,
    OutputText,
    ReasoningItem,
    ReasoningText,
)
from cortex_entrypoints.http.openai.responses.stream_events import (
    ContentPartEvent,
    ContentPartKind,
    OutputItemEvent,
    OutputItemKind,
    ReasoningDeltaEvent,
    ReasoningDoneEvent,
    ResponseStreamEvent,
    TextDeltaEvent,
    TextDoneEvent,
)


class OpenItem(ABC):
    """An item that is not complete yet.

    Attributes:
        id_prefix: How ids of its kind begin.

    Args:
        item_id: Its id.
        output_index: Its place among the response's items.
        numbers: Gives the next event its number.
    """

    id_prefix: ClassVar[str]

    def __init__(self, item_id: str, output_index: int, numbers: Iterator[int]) -> None:
        self._item_id = item_id
        self._output_index = output_index
        self._numbers = numbers
        self._pieces: list[str] = []

    def begin(self) -> Iterator[ResponseStreamEvent]:
        """Announces the item."""
        yield self._item_event("response.output_item.added", "in_progress")

    @abstractmethod
    def add(self, piece: str) -> Iterator[ResponseStreamEvent]:
        """Tells its next piece."""

    def end(self, status: ItemStatus) -> Iterator[ResponseStreamEvent]:
        """Tells the whole."""
        yield self._item_event("response.output_item.done", status)

    @abstractmethod
    def item(self, status: ItemStatus) -> OutputItem:
        """Builds the item as far as it is."""

    @property
    def _whole(self) -> str:
        return "".join(self._pieces)

    def _item_event(self, kind: OutputItemKind, status: ItemStatus) -> OutputItemEvent:
        return OutputItemEvent(
            type=kind, sequence_number=next(self._numbers), output_index=self._output_index, item=self.item(status)
        )


class _OpenText(OpenItem):
    """An item of one text."""

    def begin(self) -> Iterator[ResponseStreamEvent]:
        """Announces the item and its text."""
        yield from super().begin()
        yield self._part_event("response.content_part.added")

    def add(self, piece: str) -> Iterator[ResponseStreamEvent]:
        """Tells the next piece of the text."""
        self._pieces.append(piece)
        yield self._delta(piece)

    def end(self, status: ItemStatus) -> Iterator[ResponseStreamEvent]:
        """Tells the whole text and the item."""
        yield self._done()
        yield self._part_event("response.content_part.done")
        yield from super().end(status)

    @abstractmethod
    def _delta(self, piece: str) -> ResponseStreamEvent: ...

    @abstractmethod
    def _done(self) -> ResponseStreamEvent: ...

    @abstractmethod
    def _content(self) -> OutputContent: ...

    def _part_event(self, kind: ContentPartKind) -> ContentPartEvent:
        return ContentPartEvent(
            type=kind,
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            content_index=0,
            part=self._content(),
        )


class OpenMessage(_OpenText):
    """A message of the model's."""

    id_prefix: ClassVar[str] = "msg"

    def item(self, status: ItemStatus) -> OutputMessage:
        """Builds the message as far as it is."""
        content = [] if status == "in_progress" else [self._content()]
        return OutputMessage(id=self._item_id, type="message", status=status, role="assistant", content=content)

    def _delta(self, piece: str) -> TextDeltaEvent:
        return TextDeltaEvent(
            type="response.output_text.delta",
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            content_index=0,
            delta=piece,
            logprobs=[],
        )

    def _done(self) -> TextDoneEvent:
        return TextDoneEvent(
            type="response.output_text.done",
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            content_index=0,
            text=self._whole,
            logprobs=[],
        )

    def _content(self) -> OutputText:
        return OutputText(type="output_text", text=self._whole, annotations=[], logprobs=[])


class OpenReasoning(_OpenText):
    """What the model thinks before it answers."""

    id_prefix: ClassVar[str] = "rs"

    def item(self, status: ItemStatus) -> ReasoningItem:
        """Builds the item as far as it is."""
        content = [] if status == "in_progress" else [self._content()]
        return ReasoningItem(id=self._item_id, type="reasoning", status=status, summary=[], content=content)

    def _delta(self, piece: str) -> ReasoningDeltaEvent:
        return ReasoningDeltaEvent(
            type="response.reasoning_text.delta",
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            content_index=0,
            delta=piece,
        )

    def _done(self) -> ReasoningDoneEvent:
        return ReasoningDoneEvent(
            type="response.reasoning_text.done",
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            content_index=0,
            text=self._whole,
        )

    def _content(self) -> ReasoningText:
        return ReasoningText(type="reasoning_text", text=self._whole)
