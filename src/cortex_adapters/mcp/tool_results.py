"""Makes tool outputs of what MCP servers return."""

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any, assert_never

from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)

from cortex_domain.errors import ToolFailedError
from cortex_domain.tool_execution import ToolContent, ToolImage, ToolJson, ToolOutput, ToolText

_MAX_ERROR_CHARACTERS = 4_000


def output_of(result: CallToolResult, /, *, is_trusted: bool) -> ToolOutput:
    """Returns what a tool returned.

    A value that the server gives twice, as structured content and as text, is kept once.

    Raises:
        ToolFailedError: The result says that the tool failed.
    """
    if result.is_error:
        raise ToolFailedError(_error_text(result.content))
    blocks = [_content(block) for block in result.content]
    value = result.structured_content
    if value is None or not _is_json(value):
        return ToolOutput(content=tuple(blocks), is_trusted=is_trusted)
    others = [block for block in blocks if not (isinstance(block, ToolText) and _says(block.text, value))]
    return ToolOutput(content=(ToolJson(value=value), *others), is_trusted=is_trusted)


def _error_text(blocks: Iterable[ContentBlock]) -> str:
    text = "\n".join(block.text for block in blocks if isinstance(block, TextContent))
    return text[:_MAX_ERROR_CHARACTERS] or "The tool failed and does not say why."


def _content(block: ContentBlock) -> ToolContent:
    match block:
        case TextContent():
            return ToolText(text=block.text)
        case ImageContent():
            return _image(block.data, block.mime_type)
        case AudioContent():
            return ToolText(text=f"[audio of type {block.mime_type}, which cannot be shown]")
        case ResourceLink():
            return ToolText(text=f"[resource {block.name}: {block.uri}]")
        case EmbeddedResource():
            return _embedded(block)
        case _:
            assert_never(block)


def _embedded(block: EmbeddedResource) -> ToolContent:
    resource = block.resource
    if not isinstance(resource, BlobResourceContents):
        return ToolText(text=resource.text)
    if (resource.mime_type or "").startswith("image/"):
        return _image(resource.blob, resource.mime_type or "")
    return ToolText(text=f"[file {resource.uri} of type {resource.mime_type or 'unknown'}, which cannot be shown]")


def _image(data: str, media_type: str) -> ToolContent:
    try:
        return ToolImage(data=base64.b64decode(data, validate=True), media_type=media_type)
    except (binascii.Error, ValueError):
        return ToolText(text="[image that is no valid base64]")


def _is_json(value: Any) -> bool:  # noqa: ANN401 - whatever a server sent
    """JSON has no infinite numbers, though parsers read them."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def _says(text: str, value: Any) -> bool:  # noqa: ANN401
    """Whether a text is a value, or all that an object holds: servers wrap what is no object so."""
    only = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else value
    if text == only:
        return True
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return bool(said in (value, only))
