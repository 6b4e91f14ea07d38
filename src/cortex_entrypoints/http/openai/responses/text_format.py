"""What the text of a response has to look like."""

from typing import Annotated, Final, Literal

from pydantic import Discriminator, Tag

from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_entrypoints.http.openai.response_format import JsonObjectFormat, NamedSchema, TextFormat
from cortex_entrypoints.http.strict_body import Body

_KINDS: Final = ("text", "json_object", "json_schema")


class FlatSchemaFormat(NamedSchema):
    """A JSON value that a schema allows."""

    type: Literal["json_schema"]

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
    Annotated[TextFormat, Tag("<text>")]
    | Annotated[JsonObjectFormat, Tag("<json_object>")]
    | Annotated[FlatSchemaFormat, Tag("<json_schema>")],
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
