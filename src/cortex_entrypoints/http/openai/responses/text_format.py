"""What the text of a response has to look like."""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_entrypoints.http.strict_body import Body

_KINDS: Final = ("text", "json_object", "json_schema")


class PlainFormatBody(Body):
    """Any text."""

    type: Literal["text"]

    def to_domain(self) -> None:
        """Builds no constraint."""


class JsonObjectFormatBody(Body):
    """A JSON object of any form."""

    type: Literal["json_object"]

    def to_domain(self) -> JsonSchemaOutput:
        """Builds the constraint."""
        return JsonSchemaOutput(schema={"type": "object"})


class JsonSchemaFormatBody(Body):
    """A JSON value that a schema allows; it always keeps to the schema, whatever `strict` says."""

    type: Literal["json_schema"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    description: str | None = None
    strict: bool | None = None

    def to_domain(self) -> JsonSchemaOutput:
        """Builds the constraint.

        Raises:
            InvalidRequestError: The schema is too large or too deep.
        """
        return JsonSchemaOutput(schema=self.schema_)


def _tag(value: object) -> str | None:
    # What is written back comes here as the object that was read.
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"<{kind}>" if kind in _KINDS else None


FormatBody = Annotated[
    Annotated[PlainFormatBody, Tag("<text>")]
    | Annotated[JsonObjectFormatBody, Tag("<json_object>")]
    | Annotated[JsonSchemaFormatBody, Tag("<json_schema>")],
    Discriminator(
        _tag,
        custom_error_type="format_type",
        custom_error_message=f"Input should be an object whose type is one of {', '.join(_KINDS)}",
    ),
]


class TextBody(Body):
    """What the text has to look like."""

    format: FormatBody | None = None
    verbosity: Literal["low", "medium", "high"] | None = None

    def to_domain(self) -> JsonSchemaOutput | None:
        """Builds the constraint; None leaves the text to the model.

        Raises:
            InvalidRequestError: A schema is too large or too deep.
        """
        return None if self.format is None else self.format.to_domain()
