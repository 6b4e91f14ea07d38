"""Tools that the contract of text generators offers to a model, and chats in which they were used."""

from dataclasses import replace

from cortex_contracts.conversations import chat
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import ModelFiles
from cortex_domain.messages import Message, Role, ToolCallPart, tool_message, user_message
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition

UNITS = ("celsius", "fahrenheit")
THERMOMETER = ToolDefinition(
    name="read_thermometer",
    description="Tells the temperature of this room.",
    parameters={
        "type": "object",
        "properties": {"unit": {"type": "string", "enum": list(UNITS)}},
        "required": ["unit"],
        "additionalProperties": False,
    },
)
DOOR = ToolDefinition(
    name="is_door_open",
    description="Tells whether the door is open.",
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
)
QUESTION = "How warm is it in this room, in degrees Celsius?"


def with_tools(files: ModelFiles, choice: ToolChoice, *, parallel: bool = False) -> GenerationRequest:
    """Builds a request that offers tools whose arguments are short, whatever the model."""
    request = chat(files, QUESTION, max_tokens=128)
    return replace(request, tools=(THERMOMETER, DOOR), tool_choice=choice, parallel_tool_calls=parallel)


def required() -> ToolChoice:
    """Builds the choice that any tool must be called."""
    return ToolChoice(mode=ToolChoiceMode.REQUIRED)


def named(tool: ToolDefinition) -> ToolChoice:
    """Builds the choice that this tool must be called."""
    return ToolChoice(mode=ToolChoiceMode.NAMED, name=tool.name)


def with_result(files: ModelFiles, text: str) -> GenerationRequest:
    """Builds a request whose chat holds a call and what came of it."""
    call = ToolCallPart(id="call_1", name=THERMOMETER.name, arguments='{"unit": "celsius"}')
    messages = (
        user_message(QUESTION),
        Message(role=Role.ASSISTANT, parts=(call,)),
        tool_message(call.id, text),
    )
    request = with_tools(files, ToolChoice())
    return replace(request, messages=messages, max_tokens=4)
