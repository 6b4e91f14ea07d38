"""Anthropic's messages."""

from collections.abc import Mapping
from typing import Any, Final

from cortex_domain.language_models import Capability
from cortex_entrypoints.http.anthropic.message_body import CreateMessageBody
from cortex_entrypoints.http.compatibility.example_values import IMAGE, SCHEMA
from cortex_entrypoints.http.compatibility.treatments import DEFAULTS, Dialect, Named, Reading
from cortex_entrypoints.http.json_parsing import validate_body

_TOOLS: Final = [{"name": "get_weather", "description": "Tells the weather.", "input_schema": SCHEMA}]
_CALL: Final = {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {}}
_RESULT: Final = {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"}
_THOUGHT: Final = {"type": "thinking", "thinking": "y", "signature": "s"}
_ASKED: Final = {"role": "user", "content": "hello big world"}


def _said(*blocks: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


def _answered(*blocks: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_ASKED, {"role": "assistant", "content": list(blocks)}, _ASKED]


def _picture(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _said({"type": "image", "source": source})


def _read(body: Mapping[str, Any]) -> Reading:
    parsed = validate_body(body, CreateMessageBody)
    return Reading(request=parsed.to_domain(DEFAULTS), warnings=parsed.warnings)


ANTHROPIC_MESSAGES: Final = Dialect(
    name="anthropic_messages",
    title="Anthropic messages",
    path="/v1/messages",
    basis={"max_tokens": 100, "messages": [_ASKED]},
    values={
        "messages": [
            Named("text", _said({"type": "text", "text": "hello"})),
            Named("thinking", _answered(_THOUGHT, {"type": "text", "text": "x"})),
            Named("tool use", [*_answered(_CALL)[:2], *_said(_RESULT)]),
            Named("pictures", _picture({"type": "base64", "media_type": "image/png", "data": IMAGE})),
            Named("pictures elsewhere", _picture({"type": "url", "url": "https://example.com/x.png"})),
            Named("documents", _said({"type": "document", "source": {"type": "file", "file_id": "file_1"}})),
            Named("a beginning of the answer", [_ASKED, {"role": "assistant", "content": "Hel"}]),
        ],
        "max_tokens": [1],
        "model": ["starter"],
        "system": ["Be brief."],
        "metadata": [{"user_id": "ada"}],
        "stop_sequences": [[" world"]],
        "stream": [True],
        "temperature": [0.5],
        "top_k": [5],
        "top_p": [0.5],
        "thinking": [{"type": "disabled"}, {"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}],
        "output_config": [
            Named("`format`", {"format": {"type": "json_schema", "schema": SCHEMA}}),
            {"effort": "high"},
            Named("`task_budget`", {"task_budget": {"type": "tokens", "total": 9}}),
        ],
        "tools": [
            Named("functions", _TOOLS),
            Named("server tools", [{"type": "web_search_20250305", "name": "web_search"}]),
        ],
        "tool_choice": [
            {"type": "any"},
            {"type": "tool", "name": "get_weather"},
            {"type": "auto", "disable_parallel_tool_use": True},
        ],
        "cache_control": [{"type": "ephemeral"}],
        "billing_policy": ["x"],
        "compaction": [{"type": "auto"}],
        "container": ["container_1"],
        "context_management": [{"edits": []}],
        "diagnostics": [{}],
        "fallback_credit_token": ["x"],
        "fallbacks": [["x"]],
        "inference_geo": ["eu"],
        "mcp_servers": [[{"type": "url", "url": "https://example.com", "name": "x"}]],
        "service_tier": ["standard_only"],
        "speed": ["fast"],
        "thread": [{"type": "create"}],
        "user_profile_id": ["x"],
        "workspace_id": ["x"],
    },
    optional=frozenset({Capability.REASONING_EFFORT}),
    along={"tool_choice": {"tools": _TOOLS}},
    read=_read,
)
