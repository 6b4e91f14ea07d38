"""Tools and tool calls as OpenAI's chat API writes them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_TOOLS
from cortex_domain.messages import ToolCallPart
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition
from cortex_entrypoints.http.strict_body import Body
from cortex_entrypoints.http.tool_bodies import CallId, ToolName


class FunctionBody(Body):
    """A function that the model may ask its caller to call."""

    name: ToolName
    description: str | None = None
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of the arguments, an object.")] | None = None
    strict: Annotated[bool, Field(description="Changes nothing: arguments are held to the schema anyway.")] | None = (
        None
    )


class FunctionToolBody(Body):
    """A tool."""

    type: Literal["function"]
    function: FunctionBody

    def to_domain(self) -> ToolDefinition:
        """Builds the definition.

        Raises:
            InvalidRequestError: The parameters are not those of an object.
        """
        function = self.function
        return ToolDefinition(
            name=function.name, description=function.description or "", parameters=function.parameters or {}
        )


class FunctionNameBody(Body):
    """Names a function."""

    name: ToolName


class NamedFunctionBody(Body):
    """The function that must be called."""

    type: Literal["function"]
    function: FunctionNameBody


class AllowedToolsBody(Body):
    """The tools of the request that may be called, and whether one of them must."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedFunctionBody], Field(min_length=1, max_length=MAX_TOOLS)]


class AllowedToolsChoiceBody(Body):
    """Some of the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedToolsBody


def _choice_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<mode>"
    kind = value.get("type") if isinstance(value, dict) else None
    return f"<{kind}>" if kind in ("function", "allowed_tools") else None


Tools = Annotated[
    list[FunctionToolBody],
    Field(max_length=MAX_TOOLS, description="Functions, for models that list the capability `tools`."),
]
ToolChoiceBody = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<mode>")]
    | Annotated[NamedFunctionBody, Tag("<function>")]
    | Annotated[AllowedToolsChoiceBody, Tag("<allowed_tools>")],
    Discriminator(
        _choice_tag,
        custom_error_type="tool_choice_type",
        custom_error_message=(
            "Input should be 'none', 'auto', 'required' or an object whose type is 'function' or 'allowed_tools'"
        ),
    ),
]


class FunctionCallBody(Body):
    """The function that was called."""

    name: Annotated[str, Field(min_length=1)]
    arguments: str


class ToolCallBody(Body):
    """A tool call that the assistant made."""

    id: CallId
    type: Literal["function"]
    function: FunctionCallBody

    def to_domain(self) -> ToolCallPart:
        """Builds the part."""
        return ToolCallPart(id=self.id, name=self.function.name, arguments=self.function.arguments)


def offered_tools(
    tools: Sequence[FunctionToolBody] | None, choice: str | NamedFunctionBody | AllowedToolsChoiceBody | None, /
) -> tuple[ToolDefinition, ...]:
    """Builds the tools that may be called.

    Raises:
        InvalidRequestError: Those that are allowed are not among those that are there.
    """
    definitions = tuple(tool.to_domain() for tool in tools or ())
    if not isinstance(choice, AllowedToolsChoiceBody):
        return definitions
    allowed = {tool.function.name for tool in choice.allowed_tools.tools}
    if unknown := allowed - {tool.name for tool in definitions}:
        raise InvalidRequestError(
            f"tool_choice allows {min(unknown)!r}, which is none of the tools.", parameter="tool_choice"
        )
    return tuple(tool for tool in definitions if tool.name in allowed)


def tool_choice_of(choice: str | NamedFunctionBody | AllowedToolsChoiceBody | None, /) -> ToolChoice:
    """Builds the choice; None leaves it to the model."""
    match choice:
        case NamedFunctionBody():
            return ToolChoice(mode=ToolChoiceMode.NAMED, name=choice.function.name)
        case AllowedToolsChoiceBody():
            return ToolChoice(mode=ToolChoiceMode(choice.allowed_tools.mode))
        case _:
            return ToolChoice(mode=ToolChoiceMode(choice or ToolChoiceMode.AUTO))
