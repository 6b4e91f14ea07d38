"""Makes descriptors of what an MCP server says that it offers."""

import json
import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mcp.types import Tool, ToolAnnotations

from cortex_adapters.mcp.argument_check import ArgumentCheck, UnusableToolError
from cortex_adapters.mcp.configuration import McpServer, ToolWord
from cortex_adapters.mcp.tool_naming import server_prefix, tool_name
from cortex_domain.errors import InvalidRequestError
from cortex_domain.tool_execution import ToolDescriptor, ToolEffect
from cortex_domain.tools import ToolDefinition

logger = logging.getLogger(__name__)

_MAX_DESCRIPTION_CHARACTERS: Final = 4_000
_MAX_SCHEMA_CHARACTERS: Final = 64_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTool:
    """A tool of a server.

    Attributes:
        remote_name: What the server calls it.
        descriptor: What Cortex knows of it.
        check: Checks arguments for it.
    """

    remote_name: str
    descriptor: ToolDescriptor
    check: ArgumentCheck


def offered_tools(server: McpServer, tools: Iterable[Tool], /) -> dict[str, OfferedTool]:
    """Returns what can be used, by the name in Cortex; what cannot is left out with a warning."""
    offered: dict[str, OfferedTool] = {}
    left_out: list[str] = []
    for tool in tools:
        try:
            made = _offered(server, tool, taken=offered)
        except UnusableToolError as exc:
            left_out.append(f"{tool.name[:140]!r} {exc}")
        else:
            offered |= made
    if left_out:
        shown = "; ".join(left_out[:5])
        logger.warning("%d tools of the MCP server %r are left out: %s", len(left_out), server.name, shown)
    return offered


def _offered(server: McpServer, tool: Tool, *, taken: Collection[str]) -> dict[str, OfferedTool]:
    """Returns the tool by its name, or nothing when the operator has disabled it."""
    name = tool_name(server_prefix(server.name), tool.name)
    word = server.tools.get(tool.name, ToolWord())
    if word.disabled:
        return {}
    if name in taken:
        raise UnusableToolError("is offered twice")
    descriptor = _described(server, _definition(tool, name), _believed(server, tool.annotations), word)
    return {name: OfferedTool(remote_name=tool.name, descriptor=descriptor, check=ArgumentCheck(tool.input_schema))}


def _definition(tool: Tool, name: str) -> ToolDefinition:
    if len(json.dumps(tool.input_schema)) > _MAX_SCHEMA_CHARACTERS:
        raise UnusableToolError(f"has parameters longer than {_MAX_SCHEMA_CHARACTERS} characters")
    try:
        return ToolDefinition(name=name, description=_description(tool), parameters=tool.input_schema)
    except InvalidRequestError as exc:
        raise UnusableToolError("has parameters that are not the JSON Schema of an object") from exc


def _description(tool: Tool) -> str:
    text = tool.description or tool.title or ""
    if len(text) <= _MAX_DESCRIPTION_CHARACTERS:
        return text
    return f"{text[: _MAX_DESCRIPTION_CHARACTERS - 3]}..."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Belief:
    """What is believed of a tool while its operator says nothing of it."""

    effects: frozenset[ToolEffect]
    is_idempotent: bool = False
    is_concurrent: bool = False


def _believed(server: McpServer, hints: ToolAnnotations | None) -> _Belief:
    """Annotations are what a foreign program says of itself, so they count only where the operator believes it."""
    if hints is None or not server.trusts_annotations:
        return _Belief(effects=server.effects)
    return _Belief(
        effects=frozenset(_hinted_effects(hints)),
        is_idempotent=bool(hints.read_only_hint or hints.idempotent_hint),
        is_concurrent=bool(hints.read_only_hint),
    )


def _hinted_effects(hints: ToolAnnotations) -> Iterator[ToolEffect]:
    """The protocol's defaults: a tool writes, and reaches the world, unless it says otherwise."""
    yield ToolEffect.READS_LOCAL if hints.read_only_hint else ToolEffect.WRITES_LOCAL
    if hints.open_world_hint is not False:
        yield ToolEffect.NETWORK


def _described(server: McpServer, definition: ToolDefinition, belief: _Belief, word: ToolWord) -> ToolDescriptor:
    return ToolDescriptor(
        definition=definition,
        effects=belief.effects if word.effects is None else word.effects,
        is_idempotent=belief.is_idempotent if word.idempotent is None else word.idempotent,
        is_concurrent=belief.is_concurrent if word.concurrent is None else word.concurrent,
        is_trusted=server.is_trusted,
        timeout_s=word.timeout_s or server.timeout_s,
    )
