"""OpenAI's chat completions."""

from collections.abc import Mapping
from typing import Any, Final

from cortex_entrypoints.http.compatibility.example_values import IMAGE, SCHEMA, SOUND
from cortex_entrypoints.http.compatibility.treatments import DEFAULTS, Dialect, Named, Reading
from cortex_entrypoints.http.json_parsing import validate_body
from cortex_entrypoints.http.openai.chat_body import ChatCompletionBody

_FUNCTION: Final = {"name": "get_weather", "description": "Tells the weather.", "parameters": SCHEMA}
_TOOLS: Final = [{"type": "function", "function": _FUNCTION}]
_CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
_WITH_TOOLS: Final = {"tools": _TOOLS}
_ASKED: Final = {"role": "user", "content": "hello big world"}


def _said(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [part]}]


def _read(body: Mapping[str, Any]) -> Reading:
    parsed = validate_body(body, ChatCompletionBody)
    return Reading(request=parsed.to_domain(DEFAULTS), warnings=parsed.warnings)


OPENAI_CHAT: Final = Dialect(
    name="openai_chat_completions",
    title="OpenAI chat completions",
    path="/v1/chat/completions",
    basis={"messages": [_ASKED]},
    values={
        "messages": [
            Named("text", [{"role": "developer", "content": "Be brief."}, _ASKED]),
            Named(
                "`reasoning_content`", [_ASKED, {"role": "assistant", "content": "x", "reasoning_content": "y"}, _ASKED]
            ),
            Named(
                "pictures in a `data:` URL",
                _said({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}),
            ),
            Named(
                "pictures elsewhere", _said({"type": "image_url", "image_url": {"url": "https://example.com/x.png"}})
            ),
            Named("sounds", _said({"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}})),
            Named("files", _said({"type": "file", "file": {"file_id": "file_1"}})),
            Named("tool calls", [_ASKED, {"role": "assistant", "tool_calls": [_CALL]}]),
        ],
        "model": ["starter"],
        "audio": [{"voice": "alloy", "format": "wav"}],
        "frequency_penalty": [0.5],
        "function_call": ["auto"],
        "functions": [[_FUNCTION]],
        "logit_bias": [{"5": 1.5}],
        "logprobs": [True],
        "max_completion_tokens": [1],
        "max_tokens": [1],
        "metadata": [{"key": "value"}],
        "modalities": [["text"], ["text", "audio"]],
        "moderation": [{"model": "omni-moderation-latest"}],
        "n": [2],
        "parallel_tool_calls": [False],
        "prediction": [{"type": "content", "content": "x"}],
        "presence_penalty": [0.5],
        "prompt_cache_key": ["key"],
        "prompt_cache_options": [{"ttl": "30m"}],
        "prompt_cache_retention": ["24h"],
        "reasoning_effort": ["none", "high"],
        "response_format": [
            Named("text", {"type": "text"}),
            Named("`json_object`", {"type": "json_object"}),
            Named(
                "`json_schema`",
                {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}},
            ),
        ],
        "safety_identifier": ["somebody"],
        "seed": [7],
        "service_tier": ["flex"],
        "stop": [" big", [" world"]],
        "store": [True],
        "stream": [True],
        "stream_options": [{"include_usage": True}, {"include_obfuscation": True}],
        "temperature": [0.5],
        "tool_choice": [
            Named("`required`", "required"),
            Named("a function", {"type": "function", "function": {"name": "get_weather"}}),
        ],
        "tools": [Named("functions", _TOOLS), Named("custom tools", [{"type": "custom", "custom": {"name": "x"}}])],
        "top_logprobs": [3],
        "top_p": [0.5],
        "user": ["ada"],
        "verbosity": ["low"],
        "web_search_options": [{}],
        "top_k": [5],
        "min_p": [0.1],
        "repetition_penalty": [1.1],
    },
    along={
        "parallel_tool_calls": _WITH_TOOLS,
        "stream_options": {"stream": True},
        "tool_choice": _WITH_TOOLS,
        "top_logprobs": {"logprobs": True},
    },
    read=_read,
)
