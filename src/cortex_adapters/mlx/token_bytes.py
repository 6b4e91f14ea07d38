"""What each token of a vocabulary says, in bytes.

A token may be a part of a character, so its text alone does not tell what it says; the bytes of all tokens in a row are
the UTF-8 of their text. Byte-level BPE writes a byte as a printable character
(https://github.com/openai/gpt-2/blob/master/src/encoder.py), SentencePiece a space as U+2581 and a byte that no piece
has as `<0xE2>`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
_PRINTABLE = (*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1))

Decode = Callable[[str], bytes]


class Tokenizer(Protocol):
    """What is used of a tokenizer."""

    def convert_ids_to_tokens(self, ids: int, /) -> str | None:
        """Returns a token as the vocabulary writes it; None of an id that no token has."""

    def decode(self, token_ids: list[int], /) -> str:
        """Turns token ids into text."""


class TokenBytes:
    """Looks tokens up, each once.

    Attributes:
        is_exact: Whether the bytes of tokens in a row are the UTF-8 of their text. Of a tokenizer that decodes in a way
            of its own they are only each token's text.
        drops_first_space: Whether its texts leave out a space that they would begin with.

    Args:
        tokenizer: A tokenizer of `transformers`, or mlx-lm's wrapper of one.
    """

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - the wrapper hands on the tokenizer's own
        steps = list(_decoder_steps(tokenizer))
        decode = _decode_of(steps)
        self._tokenizer: Tokenizer = tokenizer
        self._decode = decode
        self._added: Mapping[int, Any] = getattr(tokenizer, "added_tokens_decoder", {})
        self._known: dict[int, bytes] = {}
        self.is_exact = decode is not None
        self.drops_first_space = any(_drops_space(step) for step in steps)

    def __getitem__(self, token: int) -> bytes:
        """Returns what a token says; nothing for an id that no token has."""
        if token not in self._known:
            self._known[token] = self._look_up(token)
        return self._known[token]

    def _look_up(self, token: int) -> bytes:
        if self._decode is None:
            return self._tokenizer.decode([token]).encode()
        if token in self._added:
            return str(self._added[token].content).encode()
        piece = self._tokenizer.convert_ids_to_tokens(token)
        return b"" if piece is None else self._decode(piece)


def _decoder_steps(tokenizer: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - see `TokenBytes`
    """Lists what the tokenizer does with its tokens to make a text; nothing when it cannot be told."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    decoder = getattr(backend, "decoder", None)
    if decoder is not None:
        yield from _flattened(json.loads(decoder.__getstate__()))


def _flattened(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if step["type"] != "Sequence":
        yield step
    for inner in step.get("decoders", ()):
        yield from _flattened(inner)


def _decode_of(steps: list[dict[str, Any]]) -> Decode | None:
    kinds = {step["type"] for step in steps}
    if kinds == {"ByteLevel"}:
        return _from_byte_level
    if kinds and kinds <= {"Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"} and all(map(_is_usual, steps)):
        return _from_sentence_piece if "ByteFallback" in kinds else _from_spaced
    return None


def _is_usual(step: dict[str, Any]) -> bool:
    """Tells whether a step does no more than to bring spaces back."""
    if step["type"] == "Replace":
        return (step["pattern"], step["content"]) == ({"String": _SPACE}, " ")
    if step["type"] == "Strip":
        return _drops_space(step)
    return bool(step["type"] != "Metaspace" or step["replacement"] == _SPACE)


def _drops_space(step: dict[str, Any]) -> bool:
    if step["type"] == "Strip":
        return (step["content"], step["start"], step["stop"]) == (" ", 1, 0)
    return bool(step["type"] == "Metaspace" and step.get("prepend_scheme", "always") != "never")


def _byte_of_character() -> dict[str, int]:
    shifted = (byte for byte in range(256) if byte not in _PRINTABLE)
    return {chr(byte): byte for byte in _PRINTABLE} | {chr(256 + place): byte for place, byte in enumerate(shifted)}


_BYTES = _byte_of_character()


def _from_byte_level(piece: str) -> bytes:
    if not all(character in _BYTES for character in piece):
        return piece.encode()
    return bytes(_BYTES[character] for character in piece)


def _from_sentence_piece(piece: str) -> bytes:
    found = _BYTE_PIECE.fullmatch(piece)
    return bytes.fromhex(found[1]) if found else _from_spaced(piece)


def _from_spaced(piece: str) -> bytes:
    return piece.replace(_SPACE, " ").encode()
