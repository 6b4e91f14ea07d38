"""Turns an answer's tokens into text that may be shown."""

from collections.abc import Iterable, Sequence

from cortex_adapters.mlx.channel_text import ChannelText, Piece
from cortex_adapters.mlx.streaming_detokenizer import StreamingDetokenizer
from cortex_adapters.mlx.thought_text import ThoughtText
from cortex_domain.events import TextDelta
from cortex_domain.stop_texts import StopTextFilter
from cortex_domain.token_logprobs import TokenLogprob, UntoldTokens


class AnswerText:
    """Detokenizes one answer, tells what is thought from what is said, and never shows half a character.

    A stop text ends what is said; within thoughts it is text. Tokens are told of what is said.

    Attributes:
        reasoning_tokens: Tokens so far that were within the thoughts or marked them.

    Args:
        detokenizer: The answer's own.
        stop_texts: Texts that end the answer.
        thoughts: Finds the model's thoughts; None for a model without any.
        tells_tokens: Whether tokens are told with their text.
    """

    def __init__(
        self,
        detokenizer: StreamingDetokenizer,
        stop_texts: Sequence[str],
        thoughts: ThoughtText | ChannelText | None = None,
        *,
        tells_tokens: bool = False,
    ) -> None:
        self._detokenizer = detokenizer
        self._filter = StopTextFilter(stop_texts)
        self._thoughts = thoughts
        self._untold = UntoldTokens() if tells_tokens else None
        self.reasoning_tokens = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop text was found."""
        return self._filter.stopped

    @property
    def stop_text(self) -> str | None:
        """The stop text that was found; None before that."""
        return self._filter.found

    @property
    def untold(self) -> tuple[TokenLogprob, ...]:
        """The last tokens, whose text is held back."""
        return () if self._untold is None else self._untold.tokens

    def push(self, token: int, logprob: TokenLogprob | None = None, /) -> list[Piece]:
        """Takes the next token, with what there is to tell of it, and returns what may be shown now."""
        text = self._detokenizer.push(token)
        if self._thoughts is None:
            self._note(logprob, characters=len(text))
            return self._say(text)
        return self._up_to_stop_text(self._think(self._thoughts, text, logprob))

    def flush(self) -> list[Piece]:
        """Returns the rest; call it after the last token. A character that was never completed is dropped."""
        text = self._detokenizer.flush()
        if self._thoughts is None:
            return self._say(text, is_last=True)
        pieces = self._up_to_stop_text([*self._thoughts.push(text), *self._thoughts.flush()])
        return pieces + self._say("", is_last=True)

    def _think(self, thoughts: ThoughtText | ChannelText, text: str, logprob: TokenLogprob | None) -> list[Piece]:
        was_thinking = thoughts.is_thinking
        pieces = thoughts.push(text)
        self.reasoning_tokens += was_thinking or thoughts.is_thinking
        if thoughts.is_over:
            self._thoughts = None
        said = sum(len(piece.text) for piece in pieces if isinstance(piece, TextDelta))
        if said or thoughts.may_begin:
            self._note(logprob, characters=said)
        elif self._untold is not None:
            self._untold.forget()  # what was held back was the mark, or a blank before it
        return pieces

    def _note(self, logprob: TokenLogprob | None, *, characters: int) -> None:
        if self._untold is not None:
            self._untold.add(logprob, characters=characters)

    def _up_to_stop_text(self, pieces: Iterable[Piece]) -> list[Piece]:
        return [shown for piece in pieces for shown in self._heed_stop_texts(piece)]

    def _heed_stop_texts(self, piece: Piece) -> list[Piece]:
        return self._say(piece.text) if isinstance(piece, TextDelta) else [piece]

    def _say(self, text: str, *, is_last: bool = False) -> list[Piece]:
        shown = self._filter.push(text) + (self._filter.flush() if is_last else "")
        told = self._told_with(shown, is_last=is_last)
        return [TextDelta(text=shown, logprobs=told)] if shown or told else []

    def _told_with(self, shown: str, *, is_last: bool) -> tuple[TokenLogprob, ...]:
        if self._untold is None:
            return ()
        is_whole = is_last and not self.stopped
        return self._untold.show_rest() if is_whole else self._untold.show(len(shown))
