"""Grammars in the form in which they cross to the engine, and how one is put together of schemas and literal text.

A grammar is text for llguidance, whose dialect of Lark can hold JSON Schemas (`%json {…}`). It is made where a request
arrives and understood where the tokenizer is.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cortex_domain.output_constraints import (
    ChoiceOutput,
    GrammarOutput,
    GrammarSyntax,
    JsonSchemaOutput,
    OutputConstraint,
    RegexOutput,
)

_COMPACT: Final = {"whitespace_flexible": False, "lenient": False, "coerce_one_of": False}
"""How llguidance reads every schema: no free whitespace, and no keyword that it would leave out in silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """What an answer is held to.

    Attributes:
        text: Rules in llguidance's Lark, which begin at `start`; or in GBNF, which begin at `root`.
        is_gbnf: Whether it is GBNF.
        parameter: The request's parameter that asks for it, by which it is refused.
        trigger: The answer is free until it has said this text, and held to the grammar from there on; None holds it
            from its first token. Either way a reasoning model thinks first.
    """

    text: str
    is_gbnf: bool = False
    parameter: str
    trigger: str | None = None


def grammar_of(output: OutputConstraint, /) -> Grammar:
    """Writes the grammar of an output."""
    match output:
        case JsonSchemaOutput():
            return Grammar(text=f"start: {lark_json(output.schema)}", parameter="output.schema")
        case RegexOutput():
            return Grammar(text=f"start: {_lark_regex(output.pattern)}", parameter="output.pattern")
        case ChoiceOutput():
            # One terminal, not as many rules: any number of them is as good as one.
            choices = _lark_regex("|".join(map(_escaped, output.choices)))
            return Grammar(text=f"start: {choices}", parameter="output.choices")
        case GrammarOutput():
            is_gbnf = output.syntax is GrammarSyntax.GBNF
            return Grammar(text=output.grammar, is_gbnf=is_gbnf, parameter="output.grammar")


def lark_json(schema: Mapping[str, Any], /) -> str:
    """Writes what stands in a rule for a JSON value that a schema allows, without whitespace between its parts."""
    return f"%json {_as_json({**schema, 'x-guidance': _COMPACT})}"


def lark_text(text: str, special_texts: Collection[str] = (), /) -> str:
    """Writes what stands in a rule for a text.

    Args:
        text: At least one character.
        special_texts: Texts that the tokenizer has special tokens for; where they occur, those tokens are meant.
    """
    longest_first = sorted(filter(None, special_texts), key=len, reverse=True)
    pieces = re.split(f"({'|'.join(map(re.escape, longest_first))})", text) if longest_first else [text]
    return " ".join(_lark_piece(piece, is_special=piece in longest_first) for piece in pieces if piece)


def _lark_piece(piece: str, *, is_special: bool) -> str:
    # Special tokens whose names have other forms cannot be written by name.
    if is_special and re.fullmatch(r"<[^<>\s]+>", piece):
        return piece
    return _as_json(piece)


def _as_json(value: object) -> str:
    """Writes JSON without the control characters that JSON allows and Lark does not."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _escaped(text: str) -> str:
    """Writes a regular expression that matches a text alone."""
    escaped = re.sub(r"[][\\.+*?(){}|^$#&~-]", r"\\\g<0>", text)
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{{{ord(found[0]):x}}}", escaped)


def _lark_regex(pattern: str) -> str:
    """Writes a regular expression between slashes, each slash of its own escaped."""
    unescaped = re.sub(r"\\.|/", lambda found: r"\/" if found[0] == "/" else found[0], pattern, flags=re.DOTALL)
    return f"/{unescaped}/"
