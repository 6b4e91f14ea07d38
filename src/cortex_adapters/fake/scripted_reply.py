"""What a fake model was told to say."""

from dataclasses import dataclass
from typing import Self

from cortex_adapters.fake.scripted_tool_call import ScriptedToolCall
from cortex_adapters.fake.words import split_words
from cortex_domain.errors import CortexError
from cortex_domain.events import ToolCallDelta, ToolCallFinished
from cortex_domain.generation import FinishReason

Token = str | tuple[ToolCallDelta | ToolCallFinished, ...]
"""A piece of text, or what a piece of a tool call is told by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedReply:
    """One answer of a script. Each piece counts as a token and, unless it is empty, becomes a delta.

    Attributes:
        pieces: What is said, in order.
        reasoning: What is thought before it is said, in order, unless the request has it not think; each piece counts
            and comes as those that are said do.
        tool_calls: The tool calls that are made after that, in order.
        first_delay_s: Seconds before the first piece, the work on the prompt so to say.
        delay_s: Seconds before each further piece.
        refusal: Raised on entering instead of answering; None answers.
        failure: Raised after the last piece instead of finishing; None finishes.
        finish_reason: Why the answer ends when neither max_tokens, a stop text nor a tool call ends it before.
        warnings: What the answer's first event warns of.
    """

    pieces: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[ScriptedToolCall, ...] = ()
    first_delay_s: float = 0.0
    delay_s: float = 0.0
    refusal: CortexError | None = None
    failure: CortexError | None = None
    finish_reason: FinishReason = FinishReason.STOP
    warnings: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[Token, ...]:
        """What is said token by token; after a call whose arguments are not what they should be comes nothing."""
        tokens: list[Token] = list(self.pieces)
        for index, call in enumerate(self.tool_calls):
            tokens += call.events(index)
            if not call.is_whole:
                break
        return tuple(tokens)

    @classmethod
    def saying(cls, text: str, /) -> Self:
        """Builds a reply that says this text word by word."""
        return cls(pieces=tuple(split_words(text)))
