"""Tools of Cortex for other programs: those that its policy lets be used without asking anybody.

Another program has nobody whom Cortex could ask, so what would be asked about is neither listed nor used, and whoever
tries is told why. What a person's own program should be able to do, that person allows by TOOLS_ALLOW.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import assert_never
from uuid import uuid4

from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent, Tool, ToolAnnotations

from cortex_domain.tool_execution import (
    ToolCall,
    ToolContent,
    ToolDescriptor,
    ToolEffect,
    ToolFinished,
    ToolImage,
    ToolJson,
    ToolProgress,
    ToolStarted,
    ToolText,
)
from cortex_domain.tool_plan import ToolTerms
from cortex_domain.tool_policy import ToolPermission, permission_of
from cortex_entrypoints.cortex import Cortex

UNTRUSTED_KEY = "cortex/untrusted"
"""Marks in `_meta` a result that holds what others wrote."""

Report = Callable[[float, float | None, str], Awaitable[None]]
"""Tells how far a use is: how much, of how much, and a sentence."""


async def exposed_tools(cortex: Cortex, /) -> Sequence[Tool]:
    """Lists the tools that other programs may use."""
    policies = (cortex.tool_policy,)
    return [
        _described(tool)
        for tool in await cortex.tool_provider.list_tools()
        if permission_of(tool, policies, after_untrusted=False) is ToolPermission.ALLOW
    ]


async def use_exposed_tool(
    cortex: Cortex, name: str, arguments: dict[str, object], /, *, report: Report
) -> CallToolResult:
    """Uses a tool; what goes wrong is told by the result, for the model of the other program.

    Raises:
        ResourceUnavailableError: The tools cannot be listed now.
    """
    call = ToolCall(id=uuid4().hex, name=name, arguments=arguments)
    finished: ToolFinished | None = None
    async with cortex.execute_tools([call], ToolTerms(policies=(cortex.tool_policy,))) as events:
        async for event in events:
            match event:
                case ToolStarted():
                    pass
                case ToolProgress():
                    await _pass_on(event, report)
                case ToolFinished():
                    finished = event
                case _:
                    assert_never(event)
    assert finished is not None, "each call has exactly one end"
    return _result(finished)


def _described(tool: ToolDescriptor) -> Tool:
    is_reading = tool.effects <= {ToolEffect.READS_LOCAL, ToolEffect.NETWORK}
    return Tool(
        name=tool.name,
        description=tool.definition.description,
        input_schema={"type": "object", **tool.definition.parameters},
        annotations=ToolAnnotations(
            read_only_hint=is_reading,
            idempotent_hint=tool.is_idempotent,
            open_world_hint=ToolEffect.NETWORK in tool.effects,
        ),
    )


async def _pass_on(progress: ToolProgress, report: Report) -> None:
    if progress.fraction is not None:
        await report(progress.fraction, 1.0, progress.message)


def _result(finished: ToolFinished) -> CallToolResult:
    content: list[ContentBlock] = [_block(part) for part in finished.content]
    if finished.error is not None:
        content.insert(0, TextContent(text=f"{finished.error.code}: {finished.error.message}"))
    return CallToolResult(
        content=content,
        structured_content=_structured(finished),
        is_error=finished.status == "error",
        _meta=None if finished.is_trusted else {UNTRUSTED_KEY: True},
    )


def _block(part: ToolContent) -> ContentBlock:
    match part:
        case ToolText():
            return TextContent(text=part.text)
        case ToolJson():
            return TextContent(text=json.dumps(part.value, ensure_ascii=False))
        case ToolImage():
            return ImageContent(data=base64.b64encode(part.data).decode(), mime_type=part.media_type)
        case _:
            assert_never(part)


def _structured(finished: ToolFinished) -> dict[str, object] | None:
    """The one object among the content, if there is exactly one; older clients take nothing else."""
    values = [part.value for part in finished.content if isinstance(part, ToolJson)]
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else None
