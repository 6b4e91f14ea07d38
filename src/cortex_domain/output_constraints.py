"""What an answer has to look like: one frozen class for each way to say it.

A constraint holds from the answer's first character to its last. Sizes are bounded here, because that needs nobody who
understands the constraint; whether it can be followed is for the text generator to say.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from cortex_domain.errors import InvalidRequestError
from cortex_domain.language_models import Capability

MAX_CONSTRAINT_CHARACTERS = 131_072
"""Longest text of a constraint: of a schema as compact JSON, of all choices together."""
MAX_PATTERN_CHARACTERS = 8_192
MAX_SCHEMA_DEPTH = 100
"""Objects and arrays within each other in a schema, itself included."""
MAX_OUTPUT_CHOICES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchemaOutput:
    """The answer is one JSON value, written without whitespace between its parts, that a schema allows.

    Attributes:
        schema: A JSON Schema (https://json-schema.org); the empty one allows any value. Nothing outside of it is read.
        text: The same as compact JSON, its keys in the order in which they were given.
    """

    schema: Mapping[str, Any] = field(hash=False)
    text: str = field(init=False, default="", repr=False)

    def __post_init__(self) -> None:
        _require_shallow(self.schema)
        text = _as_json(self.schema)
        _require_length(text, MAX_CONSTRAINT_CHARACTERS, "output.schema")
        object.__setattr__(self, "schema", MappingProxyType(json.loads(text)))
        object.__setattr__(self, "text", text)

    @property
    def capability(self) -> Capability:
        """What a text generator needs for it."""
        return Capability.JSON_SCHEMA_OUTPUT


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexOutput:
    r"""The answer is a text that a regular expression matches from beginning to end.

    Attributes:
        pattern: 1 to 8,192 characters, in the syntax that regular languages share; neither looking around nor
            backreferences. `.` matches all but a line feed, `\\d` and `\\w` match beyond ASCII.
    """

    pattern: str

    def __post_init__(self) -> None:
        _require_text(self.pattern, "output.pattern")
        _require_length(self.pattern, MAX_PATTERN_CHARACTERS, "output.pattern")

    @property
    def capability(self) -> Capability:
        """What a text generator needs for it."""
        return Capability.REGEX_OUTPUT


class GrammarSyntax(StrEnum):
    """How a grammar is written.

    LARK: the dialect of llguidance (https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md), beginning at
    `start`. GBNF: that of llama.cpp (https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md), beginning
    at `root`.
    """

    LARK = "lark"
    GBNF = "gbnf"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrammarOutput:
    """The answer is a text of a context-free grammar.

    Attributes:
        grammar: The rules, 1 to 131,072 characters.
        syntax: How they are written.
    """

    grammar: str
    syntax: GrammarSyntax = GrammarSyntax.LARK

    def __post_init__(self) -> None:
        _require_text(self.grammar, "output.grammar")
        _require_length(self.grammar, MAX_CONSTRAINT_CHARACTERS, "output.grammar")

    @property
    def capability(self) -> Capability:
        """What a text generator needs for it."""
        return Capability.LARK_OUTPUT if self.syntax is GrammarSyntax.LARK else Capability.GBNF_OUTPUT


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceOutput:
    """The answer is one of some texts.

    Attributes:
        choices: 1 to 2,000 different texts, none empty, of 131,072 characters together.
    """

    choices: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.choices) <= MAX_OUTPUT_CHOICES:
            raise _refusal(f"An output has 1 to {MAX_OUTPUT_CHOICES} choices.", "output.choices")
        if len(set(self.choices)) < len(self.choices):
            raise _refusal("A choice of an output is given twice.", "output.choices")
        for choice in self.choices:
            _require_text(choice, "output.choices")
        _require_length("".join(self.choices), MAX_CONSTRAINT_CHARACTERS, "output.choices")

    @property
    def capability(self) -> Capability:
        """What a text generator needs for it."""
        return Capability.CHOICE_OUTPUT


OutputConstraint = JsonSchemaOutput | RegexOutput | GrammarOutput | ChoiceOutput


def _as_json(schema: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(schema, default=_as_dict, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise _refusal(f"The schema is not JSON: {error}.", "output.schema") from error
    _require_text(text, "output.schema")
    return text


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"it holds a {type(value).__name__}")


def _require_shallow(schema: Mapping[str, Any]) -> None:
    """Goes down level by level, so that no depth can exhaust Python's stack."""
    level: list[Any] = [schema]
    for _ in range(MAX_SCHEMA_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise _refusal(f"The schema is nested more than {MAX_SCHEMA_DEPTH} levels deep.", "output.schema")


def _children(value: Mapping[str, Any] | Sequence[Any]) -> Iterable[Any]:
    """The objects and arrays right below one of them."""
    below = value.values() if isinstance(value, Mapping) else value
    return [child for child in below if isinstance(child, Mapping | list | tuple)]


def _require_text(text: str, parameter: str) -> None:
    if not text:
        raise _refusal("A text that an output is bound to must not be empty.", parameter)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refusal(
            "What an output is bound to holds a lone surrogate, which is not valid Unicode.", parameter
        ) from None


def _require_length(text: str, longest: int, parameter: str) -> None:
    if len(text) > longest:
        raise _refusal(f"An output is bound by {len(text)} characters, of which {longest} are allowed.", parameter)


def _refusal(message: str, parameter: str) -> InvalidRequestError:
    return InvalidRequestError(message, parameter=parameter)
