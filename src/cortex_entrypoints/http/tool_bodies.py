"""Tools as clients of the native API write them."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from cortex_domain.generation import MAX_TOOLS
from cortex_domain.messages import ToolCallPart, ToolResultPart
from cortex_domain.tools import TOOL_NAME_PATTERN, ToolChoice, ToolChoiceMode, ToolDefinition
from cortex_entrypoints.http.strict_body import Body

ToolName = Annotated[str, Field(pattern=TOOL_NAME_PATTERN)]
CallId = Annotated[str, Field(min_length=1)]


class ToolBody(Body):
    """Something that the model may ask its caller to do."""

    name: ToolName
    description: Annotated[str, Field(description="When and how to use it, for the model.")] | None = None
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of the arguments, an object.")] | None = None

    def to_domain(self) -> ToolDefinition:
        """Builds the definition.

        Raises:
            InvalidRequestError: The parameters are not those of an object.
        """
        return ToolDefinition(name=self.name, description=self.description or "", parameters=self.parameters or {})


class NamedToolBody(Body):
    """The tool that must be called."""

    name: ToolName


def _choice_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<mode>"
    return "<named>" if isinstance(value, dict | NamedToolBody) else None


Tools = Annotated[
    list[ToolBody],
    Field(max_length=MAX_TOOLS, description="What the model may ask for, for models that list the capability `tools`."),
]


def _tools_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<server>"
    return "<tools>" if isinstance(value, list) else None


ToolsOrServer = Annotated[
    Annotated[
        Literal["server"],
        Tag("<server>"),
        Field(description="Cortex's own tools, as far as they may be used without asking; Cortex uses them itself."),
    ]
    | Annotated[Tools, Tag("<tools>")],
    Discriminator(
        _tools_tag, custom_error_type="tools_type", custom_error_message="Input should be a list of tools or 'server'"
    ),
]
ToolChoiceBody = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<mode>")] | Annotated[NamedToolBody, Tag("<named>")],
    Discriminator(
        _choice_tag,
        custom_error_type="tool_choice_type",
        custom_error_message="Input should be 'none', 'auto', 'required' or an object with the name of a tool",
    ),
    Field(description="Whether the model uses tools: as it sees fit if absent."),
]
ParallelToolCalls = Annotated[bool, Field(description="Whether one answer may hold several calls; true if absent.")]


class ToolCallPartBody(Body):
    """A tool call that the assistant made."""

    type: Literal["tool_call"]
    id: CallId
    name: Annotated[str, Field(min_length=1)]
    arguments: Annotated[str, Field(description="JSON text of an object.", examples=['{"city": "Rome"}'])]

    def to_domain(self) -> ToolCallPart:
        """Builds the part."""
        return ToolCallPart(id=self.id, name=self.name, arguments=self.arguments)


class ToolResultPartBody(Body):
    """What came of a tool call, in a message of the role `tool`."""

    type: Literal["tool_result"]
    call_id: CallId
    text: Annotated[str, Field(description="What the tool returned, or why it failed.")]
    is_error: bool | None = None

    def to_domain(self) -> ToolResultPart:
        """Builds the part."""
        return ToolResultPart(call_id=self.call_id, text=self.text, is_error=bool(self.is_error))


def tool_choice_of(body: str | NamedToolBody | None, /) -> ToolChoice:
    """Builds the choice; None leaves it to the model."""
    if isinstance(body, NamedToolBody):
        return ToolChoice(mode=ToolChoiceMode.NAMED, name=body.name)
    return ToolChoice(mode=ToolChoiceMode(body or ToolChoiceMode.AUTO))
