"""What the answer of a chat has to look like, as OpenAI's clients write it."""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_entrypoints.http.strict_body import Body

OUTPUT_NAME: Final = "response_format.json_schema"
"""What these clients know the domain's `output` as."""


class TextFormat(Body):
    """Plain text."""

    type: Literal["text"]

    def to_domain(self) -> None:
        """Builds no constraint."""


class JsonObjectFormat(Body):
    """A JSON object of any form."""

    type: Literal["json_object"]

    def to_domain(self) -> JsonSchemaOutput:
        """Builds the constraint."""
        return JsonSchemaOutput(schema={"type": "object"})


class NamedSchema(Body):
    """A schema; the answer keeps to it whatever `strict` says, and the model is not told of name and description."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    schema_: Annotated[dict[str, Any], Field(alias="schema")] = Field(default_factory=dict)
    strict: bool | None = None


class JsonSchemaFormat(Body):
    """A JSON value that a schema allows."""

    type: Literal["json_schema"]
    json_schema: NamedSchema

    def to_domain(self) -> JsonSchemaOutput:
        """Builds the constraint.

        Raises:
            InvalidRequestError: The schema is too large or too deep.
        """
        return JsonSchemaOutput(schema=self.json_schema.schema_)


def _tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"<{kind}>" if kind in ("text", "json_object", "json_schema") else None


ResponseFormat = Annotated[
    Annotated[TextFormat, Tag("<text>")]
    | Annotated[JsonObjectFormat, Tag("<json_object>")]
    | Annotated[JsonSchemaFormat, Tag("<json_schema>")],
    Discriminator(
        _tag,
        custom_error_type="format_type",
        custom_error_message="Input should be an object whose type is 'text', 'json_object' or 'json_schema'",
    ),
    Field(description="What the answer has to look like. JSON comes without whitespace between its parts."),
]
