"""Items that the model is saying just now: each writes the events of its own beginning, growth and end."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from cortex_domain.token_logprobs import TokenLogprob
from cortex_entrypoints.http.openai.logprob_objects import ContentLogprob, content_logprob
from cortex_entrypoints.http.openai.responses.output_items import (
    FunctionCall,
    ItemStatus,
    OutputContent,
    OutputItem,
    OutputMessage,
    OutputText,
    ReasoningItem,
    ReasoningText,
)
from cortex_entrypoints.http.openai.responses.stream_events import (
    ArgumentsDeltaEvent,
    ArgumentsDoneEvent,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlace:
    """Where an item stands.

    Attributes:
        response_id: The response.
        output_index: Which of its items, counted from 0.
        numbers: Gives the next event of the response its number.
    """

    response_id: str
    output_index: int
    numbers: Iterator[int]


class OpenItem(ABC):
    """An item that is not complete yet.

    Attributes:
        id_prefix: How ids of its kind begin.
    """

    id_prefix: ClassVar[str]

    def __init__(self, place: ItemPlace) -> None:
        # Named by the response and the place, so that whoever tells the response again names its items alike.
        self._item_id = f"{self.id_prefix}_{place.response_id.removeprefix('resp_')}_{place.output_index}"
        self._output_index = place.output_index
        self._numbers = place.numbers
        self._pieces: list[str] = []

    def begin(self) -> Iterator[ResponseStreamEvent]:
        """Announces the item."""
        yield self._item_event("response.output_item.added", "in_progress")

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

    def end(self, status: ItemStatus) -> Iterator[ResponseStreamEvent]:
        """Tells the whole text and the item."""
        yield self._done()
        yield self._part_event("response.content_part.done")
        yield from super().end(status)

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

    def __init__(self, place: ItemPlace) -> None:
        super().__init__(place)
        self._logprobs: list[ContentLogprob] = []

    def item(self, status: ItemStatus) -> OutputMessage:
        """Builds the message as far as it is."""
        content = [] if status == "in_progress" else [self._content()]
        return OutputMessage(id=self._item_id, type="message", status=status, role="assistant", content=content)

    def add(self, piece: str, logprobs: Sequence[TokenLogprob]) -> TextDeltaEvent:
        """Tells the next piece of the text and the tokens that it is of."""
        told = [content_logprob(token) for token in logprobs]
        self._pieces.append(piece)
        self._logprobs += told
        return TextDeltaEvent(
            type="response.output_text.delta",
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            content_index=0,
            delta=piece,
            logprobs=told,
        )

    def _done(self) -> TextDoneEvent:
        return TextDoneEvent(
            type="response.output_text.done",
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            content_index=0,
            text=self._whole,
            logprobs=self._logprobs,
        )

    def _content(self) -> OutputText:
        return OutputText(type="output_text", text=self._whole, annotations=[], logprobs=self._logprobs)


class OpenReasoning(_OpenText):
    """What the model thinks before it answers."""

    id_prefix: ClassVar[str] = "rs"

    def item(self, status: ItemStatus) -> ReasoningItem:
        """Builds the item as far as it is."""
        content = [] if status == "in_progress" else [self._content()]
        return ReasoningItem(id=self._item_id, type="reasoning", status=status, summary=[], content=content)

    def add(self, piece: str) -> ReasoningDeltaEvent:
        """Tells the next piece of it."""
        self._pieces.append(piece)
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


class OpenFunctionCall(OpenItem):
    """A function call.

    Args:
        place: Where it stands.
        call_id: Its id as a call.
        name: The function.
    """

    id_prefix: ClassVar[str] = "fc"

    def __init__(self, place: ItemPlace, *, call_id: str, name: str) -> None:
        super().__init__(place)
        self._call_id = call_id
        self._name = name

    def add(self, piece: str) -> ArgumentsDeltaEvent:
        """Tells the next piece of the arguments."""
        self._pieces.append(piece)
        return ArgumentsDeltaEvent(
            type="response.function_call_arguments.delta",
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            delta=piece,
        )

    def end(self, status: ItemStatus) -> Iterator[ResponseStreamEvent]:
        """Tells the whole arguments and the item."""
        yield ArgumentsDoneEvent(
            type="response.function_call_arguments.done",
            sequence_number=next(self._numbers),
            item_id=self._item_id,
            output_index=self._output_index,
            name=self._name,
            arguments=self._whole,
        )
        yield from super().end(status)

    def item(self, status: ItemStatus) -> FunctionCall:
        """Builds the call as far as it is."""
        return FunctionCall(
            id=self._item_id,
            type="function_call",
            status=status,
            call_id=self._call_id,
            name=self._name,
            arguments=self._whole,
        )
