"""Tools, and the choice among them, as the Responses API writes them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_TOOLS
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition
from cortex_entrypoints.http.strict_body import Body, OnlyFalse
from cortex_entrypoints.http.tool_bodies import ToolName


class FunctionToolBody(Body):
    """A function that the model may ask its caller to call."""

    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of the arguments, an object.")] | None = None
    strict: Annotated[bool, Field(description="Changes nothing: arguments are held to the schema anyway.")] | None = (
        None
    )
    allowed_callers: list[Literal["direct"]] | None = None
    async_: Annotated[OnlyFalse | None, Field(alias="async")] = None
    defer_loading: OnlyFalse | None = None
    output_schema: Annotated[dict[str, Any], Field(description="Changes nothing.")] | None = None

    def to_domain(self) -> ToolDefinition:
        """Builds the definition.

        Raises:
            InvalidRequestError: The parameters are not those of an object.
        """
        return ToolDefinition(name=self.name, description=self.description or "", parameters=self.parameters or {})

    def settings(self) -> dict[str, Any]:
        """Builds the tool as a response repeats it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "strict": self.strict is not False,
        }


class NamedFunctionBody(Body):
    """The function that must be called."""

    type: Literal["function"]
    name: ToolName


class AllowedToolsBody(Body):
    """The tools of the request that may be called, and whether one of them must."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"] = "auto"
    tools: Annotated[list[NamedFunctionBody], Field(min_length=1, max_length=MAX_TOOLS)]


def _tool_tag(value: object) -> str | None:
    # What is written back comes here as the object that was read.
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "<function>" if kind == "function" else None


def _choice_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<mode>"
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"<{kind}>" if kind in ("function", "allowed_tools") else None


ToolBody = Annotated[
    Annotated[FunctionToolBody, Tag("<function>")],
    Discriminator(
        _tool_tag,
        custom_error_type="tool_type",
        custom_error_message="Input should be an object whose type is 'function': there are no hosted tools here",
    ),
]
Tools = Annotated[
    list[ToolBody],
    Field(max_length=MAX_TOOLS, description="Functions, for models that list the capability `tools`."),
]
ToolChoiceBody = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<mode>")]
    | Annotated[NamedFunctionBody, Tag("<function>")]
    | Annotated[AllowedToolsBody, Tag("<allowed_tools>")],
    Discriminator(
        _choice_tag,
        custom_error_type="tool_choice_type",
        custom_error_message=(
            "Input should be 'none', 'auto', 'required' or an object whose type is 'function' or 'allowed_tools'"
        ),
    ),
]
AnyToolChoice = str | NamedFunctionBody | AllowedToolsBody | None


def offered_tools(tools: Sequence[FunctionToolBody], choice: AnyToolChoice, /) -> tuple[ToolDefinition, ...]:
    """Builds the tools that may be called.

    Raises:
        InvalidRequestError: Those that are allowed are not among those that are there.
    """
    definitions = tuple(tool.to_domain() for tool in tools)
    if not isinstance(choice, AllowedToolsBody):
        return definitions
    allowed = {tool.name for tool in choice.tools}
    if unknown := allowed - {tool.name for tool in definitions}:
        raise InvalidRequestError(
            f"tool_choice allows {min(unknown)!r}, which is none of the tools.", parameter="tool_choice"
        )
    return tuple(tool for tool in definitions if tool.name in allowed)


def tool_choice_of(choice: AnyToolChoice, /) -> ToolChoice:
    """Builds the choice; None leaves it to the model."""
    match choice:
        case NamedFunctionBody():
            return ToolChoice(mode=ToolChoiceMode.NAMED, name=choice.name)
        case AllowedToolsBody():
            return ToolChoice(mode=ToolChoiceMode(choice.mode))
        case _:
            return ToolChoice(mode=ToolChoiceMode(choice or ToolChoiceMode.AUTO))


def tool_choice_settings(choice: AnyToolChoice, /) -> Any:  # noqa: ANN401 - a word or an object
    """Builds the choice as a response repeats it."""
    return choice.model_dump() if isinstance(choice, Body) else choice or "auto"
