"""A chat as Anthropic's API writes it: the system's text beside the messages, turns that may follow their like."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from cortex_domain.errors import InvalidRequestError
from cortex_domain.messages import ContentPart, Message, Role, TextPart, ToolResultPart
from cortex_entrypoints.http.anthropic.content_blocks import ContentBlocks, TextBlockBody
from cortex_entrypoints.http.strict_body import Body

_BETWEEN_TURNS = TextPart(text="\n\n")


class TurnBody(Body):
    """One turn of the chat; turns of the same role that follow each other are one.

    Results of tool calls are in turns of the user; they go before what the user says, whatever the order here.
    """

    role: Literal["user", "assistant", "system"]
    content: ContentBlocks

    def to_domain(self) -> Iterator[Message]:
        """Builds the messages: the tools' and the role's own.

        Raises:
            InvalidRequestError: A block is not what its role may say.
        """
        parts = sorted((block.to_domain() for block in self.content), key=lambda part: not _is_result(part))
        for is_result, group in groupby(parts, key=_is_result):
            said_by_tool = is_result and self.role == "user"
            yield Message(role=Role.TOOL if said_by_tool else Role(self.role), parts=tuple(group))


def _is_result(part: ContentPart) -> bool:
    return isinstance(part, ToolResultPart)


def conversation(system: Sequence[TextBlockBody], turns: Sequence[TurnBody]) -> tuple[Message, ...]:
    """Builds the domain's chat.

    Raises:
        InvalidRequestError: The chat ends with the assistant's turn, or a turn holds what its role may not say.
    """
    if turns[-1].role == "assistant":
        raise InvalidRequestError(
            "messages: The last one is the assistant's, which asks to go on with it (prefill). That is not supported. "
            "End with a message of the user.",
            parameter="messages",
        )
    return (*_system_message(system), *_joined(message for turn in turns for message in turn.to_domain()))


def _system_message(system: Sequence[TextBlockBody]) -> Iterator[Message]:
    if any(block.text for block in system):
        yield Message(role=Role.SYSTEM, parts=tuple(block.to_domain() for block in system))


def _joined(messages: Iterable[Message]) -> Iterator[Message]:
    """Makes one turn of those that follow their like, because the templates of many models refuse them."""
    for role, group in groupby(messages, key=lambda message: message.role):
        parts: list[ContentPart] = []
        for message in group:
            if parts and isinstance(parts[-1], TextPart) and isinstance(message.parts[0], TextPart):
                parts.append(_BETWEEN_TURNS)
            parts += message.parts
        yield Message(role=role, parts=tuple(parts))
