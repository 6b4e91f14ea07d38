"""Answers that are kept so that callers can ask for them again and go on from them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """Something that was said to a model, or by it.

    Attributes:
        id: Its name among what its owner says and is told.
        content: The item as the dialect writes it that stored it.
    """

    id: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """An answer, with what was said for it.

    Attributes:
        id: Its name among all responses.
        owner: Who asked, see `GenerationRequest.owner`.
        previous_id: Id of the response that it went on from; None when it began a conversation.
        input_items: What was said to the model for this response alone, in order.
        output_items: What the model said, in order.
        content: The whole response as the dialect writes it that stored it.
        events: The events of its stream, likewise; empty when they are not kept.
    """

    id: str
    owner: str
    previous_id: str | None
    input_items: tuple[StoredItem, ...]
    output_items: tuple[StoredItem, ...]
    content: bytes
    events: bytes = b""

    @property
    def items(self) -> tuple[StoredItem, ...]:
        """What the next response of the conversation goes on from, without what came before this one."""
        return self.input_items + self.output_items
