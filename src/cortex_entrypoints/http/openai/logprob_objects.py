"""Log-probabilities as OpenAI's objects tell them. Pure."""

import codecs
from collections.abc import Iterable, Sequence

from typing_extensions import TypedDict

from cortex_domain.token_logprobs import TokenLogprob


class AlternativeLogprob(TypedDict):
    r"""A token; one that is a part of a character is written as its bytes, `\xf0\x9f`."""

    token: str
    logprob: float
    bytes: list[int]


class ContentLogprob(AlternativeLogprob):
    """A token of the answer, and the most probable ones in its place."""

    top_logprobs: list[AlternativeLogprob]


class ChatLogprobs(TypedDict):
    """The tokens of a chat's answer, or of a piece of it."""

    content: list[ContentLogprob]
    refusal: None


class CompletionLogprobs(TypedDict):
    """The tokens of a completion, or of a piece of it, in parallel lists.

    `top_logprobs` maps the most probable tokens, and the one that was drawn, to their log-probabilities; `text_offset`
    says where in the text each token begins, in characters.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


def chat_logprobs(tokens: Iterable[TokenLogprob], /) -> ChatLogprobs:
    """Builds the `logprobs` of a chat's choice."""
    return ChatLogprobs(content=[content_logprob(token) for token in tokens], refusal=None)


def content_logprob(token: TokenLogprob, /) -> ContentLogprob:
    """Builds what is told of one token."""
    return ContentLogprob(**_alternative(token), top_logprobs=[_alternative(other) for other in token.top])


def _alternative(token: TokenLogprob) -> AlternativeLogprob:
    return AlternativeLogprob(token=_name(token), logprob=token.logprob, bytes=list(token.bytes))


class CompletionLogprobsWriter:
    """Builds the `logprobs` of one completion, piece by piece.

    Args:
        begins_text: Whether its first token follows nothing, so that there is no figure for it.
    """

    def __init__(self, *, begins_text: bool = False) -> None:
        self._begins_text = begins_text
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, tokens: Sequence[TokenLogprob], /) -> CompletionLogprobs:
        """Builds those of the next tokens."""
        without = 1 if self._begins_text and tokens else 0
        self._begins_text = self._begins_text and not tokens
        return CompletionLogprobs(
            tokens=[_legacy_name(token) for token in tokens],
            token_logprobs=[*[None] * without, *(token.logprob for token in tokens[without:])],
            top_logprobs=[*[None] * without, *(_top_logprobs(token) for token in tokens[without:])],
            text_offset=[self._pass(token) for token in tokens],
        )

    def _pass(self, token: TokenLogprob) -> int:
        """Returns where a token begins; one that completes a character begins where the character does."""
        offset = self._offset
        self._offset += len(self._decoder.decode(bytes(token.bytes)))
        return offset


def _top_logprobs(token: TokenLogprob) -> dict[str, float]:
    # Of tokens that are written alike the most probable counts, and the drawn one above all.
    ranked = {_legacy_name(other): other.logprob for other in reversed(token.top)}
    return {**dict(reversed(ranked.items())), _legacy_name(token): token.logprob}


def _name(token: TokenLogprob) -> str:
    try:
        return bytes(token.bytes).decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in token.bytes)


def _legacy_name(token: TokenLogprob) -> str:
    name = _name(token)
    return name if name.encode() == bytes(token.bytes) else f"bytes:{name}"
