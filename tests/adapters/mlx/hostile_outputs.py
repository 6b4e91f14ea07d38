"""Outputs that somebody sends to make a server hang, swell or fall; and what merely cannot be followed."""

from collections.abc import Mapping
from typing import Any, Final

from cortex_domain.output_constraints import (
    ChoiceOutput,
    GrammarOutput,
    GrammarSyntax,
    JsonSchemaOutput,
    OutputConstraint,
    RegexOutput,
)


def _nested(levels: int, **around: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"], **around}
    return schema


def _union(width: int, depth: int) -> dict[str, Any]:
    if depth == 0:
        return {"type": "integer"}
    branch = _union(width, depth - 1)
    return {"anyOf": [{"type": "object", "properties": {f"k{n}": branch}, "required": [f"k{n}"]} for n in range(width)]}


def _product(factors: int, width: int) -> dict[str, Any]:
    choices = [
        {"anyOf": [{"type": "object", "properties": {f"a{n}": {"const": value}}} for value in range(width)]}
        for n in range(factors)
    ]
    return {"allOf": choices}


def _object(count: int, *, required: bool) -> dict[str, Any]:
    properties = {f"p{n}": {"type": "integer"} for n in range(count)}
    return {"type": "object", "properties": properties, "required": list(properties) if required else []}


def _chain(links: int) -> dict[str, Any]:
    steps: dict[str, Any] = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(links)}
    return {"$ref": "#/$defs/a0", "$defs": steps | {f"a{links}": {"type": "null"}}}


def _lark_rules(count: int) -> str:
    rules = (f'r{n}: "x{n}" r{(n * 7) % count} | "y{n}"' for n in range(count))
    return "\n".join([f"start: {' | '.join(f'r{n}' for n in range(count))}", *rules])


_SCHEMAS: Final[Mapping[str, dict[str, Any]]] = {
    "nested objects": _nested(45),
    "nested closed objects": _nested(30, additionalProperties=False),
    "huge enum": {"enum": [f"value number {n}" for n in range(5_000)]},
    "enum of alike texts": {"enum": ["a" * n for n in range(1, 450)]},
    "exponential union": _union(4, 5),
    "product of unions": _product(4, 4),
    "larger product of unions": _product(6, 4),
    "product beyond all bounds": _product(20, 8),
    "union of twins": {"anyOf": [{"type": "string", "pattern": f".*a.{{{n}}}"} for n in range(60)]},
    "least items": {"type": "array", "items": {"type": "integer"}, "minItems": 10**9},
    "most items": {"type": "array", "items": {"type": "integer"}, "maxItems": 10**9},
    "items in items": {
        "type": "array",
        "maxItems": 10**5,
        "items": {"type": "array", "maxItems": 10**5, "items": {"type": "array", "maxItems": 10**5}},
    },
    "number beyond machine integers": {"type": "array", "maxItems": 10**40},
    "least length": {"type": "string", "minLength": 10**9},
    "most length": {"type": "string", "maxLength": 10**9},
    "most properties": {"type": "object", "maxProperties": 10**9, "minProperties": 10**6},
    "optional properties": _object(1_500, required=False),
    "required properties": _object(1_500, required=True),
    "long numbers": {"type": "number", "minimum": 1e-300, "maximum": 1e300, "multipleOf": 1e-9},
    "huge multiple": {"type": "integer", "multipleOf": 10**15 + 37},
    "chain of references": _chain(1_500),
    "reference to itself": {"$ref": "#"},
    "references in a circle": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "endless object": {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    "union with itself": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
    "remote reference": {"$ref": "http://127.0.0.1:9/schema.json"},
    "reference to a file": {"$ref": "file:///etc/passwd"},
    "pattern bomb": {"type": "string", "pattern": "^(a|b)*a(a|b){400}$"},
    "pattern of patterns": {"type": "string", "pattern": "((a{1,100}){1,100}){1,100}"},
    "patterns together": {"allOf": [{"type": "string", "pattern": f"{chr(97 + n)}.{{{n}}}"} for n in range(20)]},
    "many patterns together": {"allOf": [{"type": "string", "pattern": f".*{n}.*"} for n in range(50)]},
    "repeated pattern": {"type": "string", "pattern": "a{1000000}"},
    "names by patterns": {"type": "object", "patternProperties": {f"^.*{n}.*$": {} for n in range(40)}},
    "looks ahead": {"type": "string", "pattern": "(?=a)b"},
    "not": {"not": {"type": "null"}},
    "if": {"if": {"type": "null"}, "then": {"const": None}},
    "unique items": {"type": "array", "uniqueItems": True},
    "unknown format": {"type": "string", "format": "zip-code"},
    "unknown type": {"type": "text"},
    "type of no name": {"type": 5},
    "properties that are none": {"properties": 5},
    "enum that is none": {"enum": "abc"},
    "nothing satisfies it": {"type": "integer", "minimum": 2, "maximum": 1},
    "mended by an option of the library": {"x-guidance": {"lenient": True}, "not": {}},
}
_PATTERNS: Final[Mapping[str, str]] = {
    "backtracking": "(a*)*b",
    "exponential automaton": "(a|b)*a(a|b){300}",
    "any text twice": r"(.|\n)*a(.|\n){200}",
    "repetitions of repetitions": "((a{1,100}){1,100}){1,100}",
    "long repetition": "a{1000000}",
    "longest repetition allowed": "a{10000}",
    "repetition beyond numbers": f"a{{{'9' * 5000}}}",
    "repeated ranges": "(.{1,1000}x){1000}",
    "many alternatives": "|".join(f".*{n}.*" for n in range(900)),
    "alternatives of lengths": "|".join(f"(.*{chr(97 + n)}.{{{10 * n + 10}}}z)" for n in range(26)),
    "deep groups": "(" * 4000 + "a" + ")" * 4000,
    "many optional letters": "a?" * 4000,
    "many stars": "a*" * 4000,
    "unicode classes": r"\p{L}{1000}\p{N}{1000}",
    "looks ahead": "(?=a)b",
    "refers back": r"(a)\1",
    "never closed": "(a",
    "matches nothing": r"[^\s\S]",
    "matches nothing after a while": r"abc[^\s\S]",
}
_LARK: Final[Mapping[str, str]] = {
    "goes round": "start: start",
    "says nothing for ever": "start: a*\na: b*\nb: ",
    "ambiguous": 'start: start start | "a" | ""',
    "more ambiguous": 'start: x\nx: x x x | x x | "a" | "aa" | "b" | ""',
    "many rules": _lark_rules(1_500),
    "chain of rules": "start: r0\n" + "\n".join(f"r{n}: r{n + 1}" for n in range(5_000)) + '\nr5000: "a"',
    "chain of terminals": "start: R0\n" + "\n".join(f'R{n}: "a" R{n + 1}' for n in range(3_000)) + '\nR3000: "a"',
    "deep groups": "start: " + "(" * 20_000 + '"a"' + ")" * 20_000,
    "repeats": 'start: ("a" | "b"){1,1000000}',
    "repeats repeats": "start: a{1,9000}\na: b{1,9000}\nb: c{1,9000}\n" + 'c: "x"',
    "all but": "start: A\nA: ~/.*a.{12}/ & ~/.*b.{13}/",
    "intersections": "start: A\nA: " + " & ".join(f"/.*{n}.*/" for n in range(200)),
    "deep schema": "start: %json " + '{"items":' * 5_000 + "{}" + "}" * 5_000,
    "imports": '%import "http://127.0.0.1:9/x"\nstart: "a"',
    "large": "start: " + " | ".join(f'"{n}"' for n in range(12_000)),
    "no start": 'rule: "a"',
    "no grammar": "{]",
    "unknown special token": "start: <|no-such-token|>",
    "token beyond the vocabulary": "start: <[99999999]>",
}
_GBNF: Final[Mapping[str, str]] = {
    "goes round": "root ::= root",
    "ambiguous": 'root ::= root root | "a" | ""',
    "deep groups": "root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000,
    "chain of rules": "root ::= r0\n" + "\n".join(f"r{n} ::= r{n + 1}" for n in range(3_000)) + '\nr3000 ::= "a"',
    "many rules": "root ::= r0\n" + "\n".join(f'r{n} ::= "x" r{(n * 7) % 2000} | "y"' for n in range(2_000)),
    "repeats": 'root ::= "a"{1,1000000}',
    "no rules": "hello",
    "unknown rule": "root ::= nothing",
    "large": 'root ::= "' + "a" * 130_000 + '"',
}
HOSTILE: Final[Mapping[str, OutputConstraint]] = {
    **{f"schema: {name}": JsonSchemaOutput(schema=schema) for name, schema in _SCHEMAS.items()},
    **{f"regex: {name}": RegexOutput(pattern=pattern) for name, pattern in _PATTERNS.items()},
    **{f"lark: {name}": GrammarOutput(grammar=grammar) for name, grammar in _LARK.items()},
    **{f"gbnf: {name}": GrammarOutput(grammar=text, syntax=GrammarSyntax.GBNF) for name, text in _GBNF.items()},
    "choice: many": ChoiceOutput(choices=tuple(f"choice number {n}" for n in range(2_000))),
    "choice: long": ChoiceOutput(choices=("a" * 65_000, "a" * 64_999 + "b")),
}
"""All of them by name."""
