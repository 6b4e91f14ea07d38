"""What a fake model was told to say."""

import re
from dataclasses import dataclass
from typing import Self

from cortex_domain.errors import CortexError
from cortex_domain.generation import FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedReply:
    """One answer of a script. Each piece counts as a token and, unless it is empty, becomes a delta.

    Attributes:
        pieces: What is said, in order.
        reasoning: What is thought before it is said, in order, unless the request has it not think; each piece counts
            and comes as those that are said do.
        first_delay_s: Seconds before the first piece, the work on the prompt so to say.
        delay_s: Seconds before each further piece.
        refusal: Raised on entering instead of answering; None answers.
        failure: Raised after the last piece instead of finishing; None finishes.
        finish_reason: Why the answer ends when neither max_tokens nor a stop text ends it before.
        warnings: What the answer's first event warns of.
    """

    pieces: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    first_delay_s: float = 0.0
    delay_s: float = 0.0
    refusal: CortexError | None = None
    failure: CortexError | None = None
    finish_reason: FinishReason = FinishReason.STOP
    warnings: tuple[str, ...] = ()

    @classmethod
    def saying(cls, text: str, /) -> Self:
        """Builds a reply that says this text word by word."""
        return cls(pieces=tuple(split_words(text)))


def split_words(text: str, /) -> list[str]:
    """Splits a text into words, each with the whitespace before it; joined they are the text again."""
    return re.findall(r"\s*\S+|\s+", text)
