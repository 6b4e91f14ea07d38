"""Which tools one answer may use, as it crosses to the engine."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from cortex_domain.generation import GenerationRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """What a job may call, and must.

    Attributes:
        definitions: The tools as JSON text, because a schema may hold any keys: a list of objects with `name`,
            `description` and `parameters`.
        is_forced: Whether the answer consists of calls.
        only: The one tool that may be called; None allows all.
        is_parallel: Whether there may be several calls.
        call_ids: What the ids of this answer's calls begin with; random, so that no chat has one twice.
    """

    definitions: str
    is_forced: bool
    only: str | None
    is_parallel: bool
    call_ids: str

    @classmethod
    def of(cls, request: GenerationRequest, /) -> Self | None:
        """Tells what a request offers; None when that is nothing."""
        if not request.offered_tools:
            return None
        tools = [
            {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
            for tool in request.offered_tools
        ]
        return cls(
            definitions=json.dumps(tools, ensure_ascii=False),
            is_forced=request.tool_choice.is_forced,
            only=request.tool_choice.name,
            is_parallel=request.parallel_tool_calls,
            call_ids=f"call_{secrets.token_hex(12)}",
        )

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """The tools, read anew."""
        tools: Sequence[Mapping[str, Any]] = json.loads(self.definitions)
        return tools

    @property
    def callable_tools(self) -> Sequence[Mapping[str, Any]]:
        """Those that may be called."""
        return [tool for tool in self.tools if self.only in (None, tool["name"])]

    def for_choice(self, choice: int) -> Self:
        """Builds what another answer to the same request has."""
        return replace(self, call_ids=f"{self.call_ids}{choice:02d}")
