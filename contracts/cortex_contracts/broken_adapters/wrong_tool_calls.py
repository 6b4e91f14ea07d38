"""Text generators that get tools wrong."""

from collections.abc import AsyncIterator
from dataclasses import replace

from cortex_contracts.broken_adapters.passing_text_generator import EventStream, PassingTextGenerator
from cortex_domain.events import GenerationEvent, TextDelta, ToolCallDelta, ToolCallFinished
from cortex_domain.generation import GenerationRequest
from cortex_domain.messages import ContentPart, Message, ToolResultPart
from cortex_domain.tools import ToolChoice, ToolChoiceMode


def ignores_tools(request: GenerationRequest) -> GenerationRequest:
    """Leaves the tools out."""
    return replace(request, tools=(), tool_choice=ToolChoice())


def leaves_calls_open(request: GenerationRequest) -> GenerationRequest:
    """Lets the model answer with text where any tool must be called."""
    is_required = request.tool_choice.mode is ToolChoiceMode.REQUIRED
    return replace(request, tool_choice=ToolChoice()) if is_required else request


def calls_any_tool(request: GenerationRequest) -> GenerationRequest:
    """Takes another tool than the one that is named, where there is one."""
    if request.tool_choice.mode is not ToolChoiceMode.NAMED or request.tool_choice.name == request.tools[0].name:
        return request
    return replace(request, tool_choice=ToolChoice(mode=ToolChoiceMode.NAMED, name=request.tools[0].name))


def forgets_results(request: GenerationRequest) -> GenerationRequest:
    """Leaves out what tools returned."""

    def forget(part: ContentPart) -> ContentPart:
        return replace(part, text="") if isinstance(part, ToolResultPart) else part

    def without(message: Message) -> Message:
        return replace(message, parts=tuple(map(forget, message.parts)))

    return replace(request, messages=tuple(map(without, request.messages)))


def tells_of_tools_it_must_not_use(request: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Talks about tools where there are some that it must not call."""
    if request.tools and request.tool_choice.mode is ToolChoiceMode.NONE and isinstance(event, TextDelta):
        return (replace(event, text=f"{event.text} (by a tool)"),)
    return (event,)


def keeps_arguments_to_itself(_: GenerationRequest, event: GenerationEvent) -> tuple[GenerationEvent, ...]:
    """Says what a call's arguments are only when it is complete."""
    return () if isinstance(event, ToolCallDelta) and event.arguments else (event,)


class CallsTwice(PassingTextGenerator):
    """Makes each call again, whether or not there may be several."""

    async def _tell(self, _request: GenerationRequest, events: AsyncIterator[GenerationEvent]) -> EventStream:
        async for event in events:
            yield event
            if isinstance(event, ToolCallFinished):
                again = ToolCallDelta(index=event.index + 1, id=f"{event.id}_again", name=event.name)
                yield again
                yield replace(again, arguments=event.arguments)
                yield replace(event, index=again.index, id=again.id)
