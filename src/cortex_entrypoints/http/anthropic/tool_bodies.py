"""Tools as Anthropic's clients write them."""

from typing import Annotated, Any, Literal, assert_never

from pydantic import Discriminator, Field, Tag

from cortex_domain.generation import MAX_TOOLS
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition
from cortex_entrypoints.http.anthropic.content_blocks import CacheControl
from cortex_entrypoints.http.strict_body import Body, OnlyFalse
from cortex_entrypoints.http.tool_bodies import ToolName


class CustomToolBody(Body):
    """Something that the model may ask its caller to do. Tools that Anthropic's own server runs are refused."""

    type: Literal["custom"] | None = None
    name: ToolName
    input_schema: Annotated[dict[str, Any], Field(description="JSON Schema of the input, an object.")]
    description: Annotated[str, Field(description="When and how to use it, for the model.")] | None = None
    cache_control: CacheControl | None = None
    strict: Annotated[bool, Field(description="Taken; inputs follow the schema where that can be forced.")] | None = (
        None
    )
    eager_input_streaming: Annotated[bool, Field(description="Taken; inputs come as they are made.")] | None = None
    input_examples: Annotated[list[Any], Field(description="Without effect, with a warning.")] | None = None
    defer_loading: OnlyFalse | None = None
    allowed_callers: Annotated[list[Literal["direct"]], Field(max_length=1)] | None = None

    def to_domain(self) -> ToolDefinition:
        """Builds the definition.

        Raises:
            InvalidRequestError: The schema is not that of an object.
        """
        return ToolDefinition(name=self.name, description=self.description or "", parameters=self.input_schema)


class FreeChoiceBody(Body):
    """The model uses tools as it sees fit."""

    type: Literal["auto"]
    disable_parallel_tool_use: bool | None = None


class AnyToolBody(Body):
    """The model uses at least one tool."""

    type: Literal["any"]
    disable_parallel_tool_use: bool | None = None


class OneToolBody(Body):
    """The model uses this tool."""

    type: Literal["tool"]
    name: ToolName
    disable_parallel_tool_use: bool | None = None


class NoToolBody(Body):
    """The model uses no tools."""

    type: Literal["none"]


def _choice_tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"<{kind}>" if kind in ("auto", "any", "tool", "none") else None


Tools = Annotated[
    list[CustomToolBody],
    Field(max_length=MAX_TOOLS, description="What the model may ask for, for models that list the capability `tools`."),
]
ToolChoiceBody = Annotated[
    Annotated[FreeChoiceBody, Tag("<auto>")]
    | Annotated[AnyToolBody, Tag("<any>")]
    | Annotated[OneToolBody, Tag("<tool>")]
    | Annotated[NoToolBody, Tag("<none>")],
    Discriminator(
        _choice_tag,
        custom_error_type="tool_choice_type",
        custom_error_message="Input should be an object whose type is 'auto', 'any', 'tool' or 'none'",
    ),
]


def tool_choice_of(body: FreeChoiceBody | AnyToolBody | OneToolBody | NoToolBody | None, /) -> ToolChoice:
    """Builds the choice; None leaves it to the model."""
    match body:
        case None | FreeChoiceBody():
            return ToolChoice(mode=ToolChoiceMode.AUTO)
        case AnyToolBody():
            return ToolChoice(mode=ToolChoiceMode.REQUIRED)
        case OneToolBody():
            return ToolChoice(mode=ToolChoiceMode.NAMED, name=body.name)
        case NoToolBody():
            return ToolChoice(mode=ToolChoiceMode.NONE)
        case _:
            assert_never(body)


def allows_parallel(body: FreeChoiceBody | AnyToolBody | OneToolBody | NoToolBody | None, /) -> bool:
    """Tells whether one answer may hold several calls."""
    return body is None or isinstance(body, NoToolBody) or not body.disable_parallel_tool_use
