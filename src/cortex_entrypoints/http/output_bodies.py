"""What an answer has to look like, as the native API writes it."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from cortex_domain.output_constraints import (
    MAX_CONSTRAINT_CHARACTERS,
    MAX_OUTPUT_CHOICES,
    MAX_PATTERN_CHARACTERS,
    ChoiceOutput,
    GrammarOutput,
    GrammarSyntax,
    JsonSchemaOutput,
    RegexOutput,
)
from cortex_entrypoints.http.strict_body import Body


class JsonSchemaOutputBody(Body):
    """One JSON value that a schema allows, written without whitespace."""

    type: Literal["json_schema"]
    schema_: Annotated[
        dict[str, Any], Field(alias="schema", description="A JSON Schema. A keyword that is not supported is refused.")
    ]

    def to_domain(self) -> JsonSchemaOutput:
        """Builds the constraint.

        Raises:
            InvalidRequestError: The schema is too large or too deep.
        """
        return JsonSchemaOutput(schema=self.schema_)


class RegexOutputBody(Body):
    """A text that a regular expression matches from beginning to end."""

    type: Literal["regex"]
    pattern: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN_CHARACTERS)]

    def to_domain(self) -> RegexOutput:
        """Builds the constraint."""
        return RegexOutput(pattern=self.pattern)


class GrammarOutputBody(Body):
    """A text of a context-free grammar, in llguidance's dialect of Lark or in llama.cpp's GBNF."""

    type: Literal["grammar"]
    syntax: Literal["lark", "gbnf"]
    grammar: Annotated[str, Field(min_length=1, max_length=MAX_CONSTRAINT_CHARACTERS)]

    def to_domain(self) -> GrammarOutput:
        """Builds the constraint."""
        return GrammarOutput(grammar=self.grammar, syntax=GrammarSyntax(self.syntax))


class ChoiceOutputBody(Body):
    """One of some texts."""

    type: Literal["choice"]
    choices: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(min_length=1, max_length=MAX_OUTPUT_CHOICES, json_schema_extra={"uniqueItems": True}),
    ]

    def to_domain(self) -> ChoiceOutput:
        """Builds the constraint.

        Raises:
            InvalidRequestError: A choice is given twice, or they are too long together.
        """
        return ChoiceOutput(choices=tuple(self.choices))


def _tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"<{kind}>" if kind in ("json_schema", "regex", "grammar", "choice") else None


OutputBody = Annotated[
    Annotated[JsonSchemaOutputBody, Tag("<json_schema>")]
    | Annotated[RegexOutputBody, Tag("<regex>")]
    | Annotated[GrammarOutputBody, Tag("<grammar>")]
    | Annotated[ChoiceOutputBody, Tag("<choice>")],
    Discriminator(
        _tag,
        custom_error_type="output_type",
        custom_error_message="Input should be an object whose type is 'json_schema', 'regex', 'grammar' or 'choice'",
    ),
    Field(description="What the whole answer has to look like; a reasoning model thinks unbound before it."),
]
