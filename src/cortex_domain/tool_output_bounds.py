"""Cuts what tools return to what may be kept and what a model can read, and makes valid Unicode and JSON of it.

What is cut is said where it is missing, so that a model does not take a part for the whole.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, assert_never

from cortex_domain.errors import ContractViolationError
from cortex_domain.tool_execution import ToolContent, ToolImage, ToolJson, ToolText

_DEEPEST_JSON: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolLimits:
    """How much one call may return and tell.

    Attributes:
        parts: Parts of a result.
        text_bytes: All text and JSON of a result together, in UTF-8.
        image_bytes: All images of a result together.
        message_characters: An error's or a progress' message.
        progress_every_s: Seconds between two progress events; what comes sooner is dropped.
    """

    parts: int = 64
    text_bytes: int = 128_000
    image_bytes: int = 8 * 2**20
    message_characters: int = 2000
    progress_every_s: float = 0.1


def bounded_content(content: Sequence[ToolContent], limits: ToolLimits, /) -> tuple[tuple[ToolContent, ...], bool]:
    """Returns what is within the limits, and whether anything was cut.

    JSON that is too long becomes its text, cut.

    Raises:
        ContractViolationError: A part is not what `ToolContent` says.
    """
    cutter = _Cutter(limits)
    kept = [part for given in content[: limits.parts] for part in cutter.fit(given)]
    if len(content) > limits.parts:
        kept.append(cutter.note(f"{len(content) - limits.parts} more parts"))
    return tuple(kept), cutter.has_cut


def valid_text(text: str, /) -> str:
    """Joins surrogates that make a character, and puts U+FFFD in the place of others."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shortened(text: str, max_characters: int, /) -> str:
    """Returns valid text of at most so many characters; what is cut ends with `…`."""
    valid = valid_text(text[: max_characters + 1])
    return valid if len(valid) <= max_characters else f"{valid[: max_characters - 1]}…"


class _Cutter:
    """Counts down what is left for the parts of one result."""

    def __init__(self, limits: ToolLimits) -> None:
        self._text_bytes = limits.text_bytes
        self._image_bytes = limits.image_bytes
        self.has_cut = False

    def fit(self, part: ToolContent) -> Iterator[ToolContent]:
        match part:
            case ToolText():
                yield from self._fit_text(valid_text(part.text))
            case ToolJson():
                yield from self._fit_json(_valid_json(part.value))
            case ToolImage():
                yield self._fit_image(part)
            case _:
                assert_never(part)

    def note(self, missing: str) -> ToolText:
        self.has_cut = True
        return ToolText(text=f"[{missing} left out]")

    def _fit_text(self, text: str) -> Iterator[ToolContent]:
        data = text.encode()
        if len(data) <= self._text_bytes:
            self._text_bytes -= len(data)
            yield ToolText(text=text)
            return
        beginning = data[: self._text_bytes].decode(errors="ignore")
        self._text_bytes = 0
        if beginning:
            yield ToolText(text=beginning)
        yield self.note(f"{len(data) - len(beginning.encode())} more bytes of text")

    def _fit_json(self, value: object) -> Iterator[ToolContent]:
        text = json.dumps(value, ensure_ascii=False)
        if len(text.encode()) > self._text_bytes:
            yield from self._fit_text(text)
            return
        self._text_bytes -= len(text.encode())
        yield ToolJson(value=value)

    def _fit_image(self, image: ToolImage) -> ToolContent:
        if not (image.data and image.media_type.startswith("image/")):
            raise ContractViolationError(f"A tool returned an image without bytes, or of type {image.media_type!r}.")
        if len(image.data) > self._image_bytes:
            return self.note(f"an image of {len(image.data)} bytes")
        self._image_bytes -= len(image.data)
        return image


def _valid_json(value: object, depth: int = 0) -> object:
    """Copies a value: numbers are finite or null, texts are valid, names are texts."""
    if depth > _DEEPEST_JSON:
        raise ContractViolationError(f"A tool returned a value that is nested more than {_DEEPEST_JSON} deep.")
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {valid_text(str(name)): _valid_json(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_valid_json(item, depth + 1) for item in value]
    raise ContractViolationError(f"A tool returned a {type(value).__name__}, which JSON cannot say.")
