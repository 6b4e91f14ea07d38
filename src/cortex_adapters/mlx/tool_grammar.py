"""The grammar of tool calls: which tools may be called, and with which arguments.

What a schema leaves open a small model fills with nonsense, so properties that an object does not name are not made up:
the arguments are of the schema still.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from cortex_adapters.mlx.grammars import Grammar, lark_json, lark_text
from cortex_adapters.mlx.tool_syntax import Layout, ToolSyntax
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_domain.errors import InvalidRequestError

MOST_PARALLEL_CALLS = 8
"""Calls that a grammar allows in one answer."""

_RULE: Final = "start: "
_OPENS_SCHEMAS: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf", "patternProperties", "additionalProperties"})


def tool_grammar(
    use: ToolUse, syntax: ToolSyntax, special_texts: Collection[str], /, *, output: Grammar | None = None
) -> Grammar:
    """Writes what an answer with tools is held to.

    An answer that need not call a tool is free until it begins to, or else what `output` holds it to.

    Args:
        use: The tools.
        syntax: How the model writes calls; not that of `Layout.OTHER`.
        special_texts: Texts that are one token of the model's, and never written otherwise.
        output: What text without calls is held to; None leaves it free.

    Raises:
        InvalidRequestError: Calls and this output cannot be combined.
    """
    writer = _GrammarWriter(use, syntax, special_texts)
    if use.is_forced:
        return Grammar(text=writer.write(begins_with_mark=True), parameter="tools")
    if output is not None:
        return Grammar(text=writer.write(begins_with_mark=True, instead=_rule_of(output)), parameter="tools")
    return Grammar(text=writer.write(begins_with_mark=False), parameter="tools", trigger=syntax.start)


class _GrammarWriter:
    def __init__(self, use: ToolUse, syntax: ToolSyntax, special_texts: Collection[str]) -> None:
        self._use = use
        self._syntax = syntax
        self._special_texts = special_texts

    def write(self, *, begins_with_mark: bool, instead: str | None = None) -> str:
        mark = [self._text(self._syntax.start)] if self._syntax.start else []
        again = f'("\\n"? {" ".join([*mark, "call"])}){{0,{MOST_PARALLEL_CALLS - 1}}}' if self._may_repeat else ""
        calls = " ".join([*(mark if begins_with_mark else []), "call", again]).strip()
        tools = self._use.callable_tools
        rules = [
            f"{_RULE}calls" if instead is None else f"{_RULE}calls | ({instead})",
            f"calls: {calls}",
            "call: " + " | ".join(f"call_{number}" for number in range(len(tools))),
            *(f"call_{number}: {self._call(tool)}" for number, tool in enumerate(tools)),
            *(f"arguments_{number}: {lark_json(arguments_schema(tool))}" for number, tool in enumerate(tools)),
        ]
        return "\n".join(rules)

    @property
    def _may_repeat(self) -> bool:
        return self._use.is_parallel and self._use.only is None and self._syntax.start is not None

    def _call(self, tool: Mapping[str, Any]) -> str:
        number = self._use.callable_tools.index(tool)
        if self._syntax.layout is Layout.HEADED:
            return f"{self._text(tool['name'])} {self._text(self._syntax.header_end)} arguments_{number}"
        opening = lark_text(f'{{"name": "{tool["name"]}", "arguments": ')
        call = f'{opening} arguments_{number} "}}"'
        return f'"\\n"? {call} "\\n"? {self._text(self._syntax.end)}' if self._syntax.start else call

    def _text(self, text: str) -> str:
        return lark_text(text, self._special_texts)


def arguments_schema(tool: Mapping[str, Any], /) -> Mapping[str, Any]:
    """Returns the schema that a tool's arguments are held to."""
    closed: Mapping[str, Any] = _closed({"type": "object", "properties": {}, **tool["parameters"]})
    return closed


def _closed(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Lets objects have the properties that they name and no others, where that is all that is said of them."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    within = {keyword: _closed_within(keyword, value) for keyword, value in schema.items()}
    if "properties" in schema and not _OPENS_SCHEMAS & schema.keys():
        within["additionalProperties"] = False
    return within


def _closed_within(keyword: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if keyword in ("properties", "$defs", "definitions") and isinstance(value, dict):
        return {name: _closed(schema) for name, schema in value.items()}
    # Parts of a whole may rely on what another part allows.
    return _closed(value) if keyword in ("items", "prefixItems") else value


def _rule_of(output: Grammar) -> str:
    if output.is_gbnf or not output.text.startswith(_RULE) or "\n" in output.text:
        raise InvalidRequestError(
            "An answer cannot be held to a grammar of its own and be free to call tools. Leave out output, or tools.",
            parameter="output",
        )
    return output.text.removeprefix(_RULE)
