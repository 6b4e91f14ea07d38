"""Reads a tool call that is written as a JSON object, character by character as it comes."""

import json
from typing import Final

_ARGUMENTS: Final = ("arguments", "parameters")


class CallObjectReader:
    r"""Reads `{"name": …, "arguments": {…}}`, with its members in any order, or the bare arguments of a known tool.

    It follows strings and brackets only; whether the arguments are JSON is known when they are complete.

    Attributes:
        name: The tool, once it is known.
        arguments: The text of the arguments so far.
        is_complete: Whether the object has ended.

    Args:
        name: The tool, when the object is its arguments; None when it is the whole call.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name
        self.arguments = ""
        self.is_complete = False
        self._is_whole_call = name is None
        self._untold = ""
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        self._key: str | None = None
        self._member = ""

    def push(self, text: str, /) -> str:
        """Takes the next text, which begins with the object's brace; returns what comes after the object."""
        for index, character in enumerate(text):
            self._take(character)
            if self.is_complete:
                self._finish()
                return text[index + 1 :]
        return ""

    def take_arguments(self) -> str:
        """Returns the arguments that have come since the last time; none before the tool is known."""
        if self.name is None:
            return ""
        untold, self._untold = self._untold, ""
        return untold

    def _take(self, character: str) -> None:
        opens, closes = self._follow(character)
        if not self._is_whole_call:
            self._add_argument(character)
        elif self._depth > 1 or (self._depth == 1 and not opens) or closes:
            self._take_member(character, ends=closes and self._depth <= 1)
        if closes and self._depth == 0:
            self.is_complete = True

    def _follow(self, character: str) -> tuple[bool, bool]:
        """Follows strings and brackets; returns whether this one opens the object, and whether it closes a bracket."""
        if self._in_string:
            self._in_string = self._is_escaped or character != '"'
            self._is_escaped = character == "\\" and not self._is_escaped
            return False, False
        if character == '"':
            self._in_string = True
        elif character in "{[":
            self._depth += 1
            return self._depth == 1, False
        elif character in "}]":
            self._depth -= 1
            return False, True
        return False, False

    def _take_member(self, character: str, *, ends: bool) -> None:
        """Takes a character between the braces of a call; `ends` where a bracket closes that leaves the member."""
        is_between = self._depth <= 1 and not self._in_string
        if is_between and character == ":" and self._key is None:
            self._key, self._member = _string_of(self._member), ""
        elif is_between and (character == "," or self._depth == 0):
            self._end_member()
        elif self._key in _ARGUMENTS:
            if self._member or not character.isspace():
                self._member += character
                self._take_argument(character, ends=ends)
        else:
            self._member += character

    def _take_argument(self, character: str, *, ends: bool) -> None:
        # Arguments that come as a string of JSON are told when it is complete; white space behind them not at all.
        is_object = self._member[0] == "{"
        if is_object and (self._depth > 1 or ends):
            self._add_argument(character)

    def _add_argument(self, character: str) -> None:
        self.arguments += character
        self._untold += character

    def _end_member(self) -> None:
        if self._key == "name":
            self.name = _string_of(self._member)
        elif self._key in _ARGUMENTS and not self.arguments:
            text = _string_of(self._member)
            written = self._member.strip() if text is None else text
            self.arguments = self._untold = "{}" if written == "null" else written
        self._key, self._member = None, ""

    def _finish(self) -> None:
        if not self.arguments and self.name is not None:
            self.arguments = self._untold = "{}"


def is_json_object(text: str, /) -> bool:
    """Tells whether a text is the JSON text of an object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def call_in(text: str, /) -> tuple[str, str] | None:
    """Reads a text that is the JSON object of one call and nothing else: the tool and its arguments; None if not."""
    reader, written = CallObjectReader(), text.strip()
    if not is_json_object(written) or _names_of(written) - {"name", "id", "type", *_ARGUMENTS}:
        return None
    reader.push(written)
    has_all = reader.name is not None and is_json_object(reader.arguments)
    return (reader.name, reader.arguments) if has_all and reader.name is not None else None


def _names_of(text: str) -> set[str]:
    names: dict[str, object] = json.loads(text)
    return set(names)


def _string_of(text: str) -> str | None:
    """Reads a JSON string; None when it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, str) else None
