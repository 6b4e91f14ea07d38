"""The native dialect."""

from collections.abc import Mapping
from typing import Any, Final

from cortex_entrypoints.http.compatibility.example_values import IMAGE, SCHEMA, SOUND
from cortex_entrypoints.http.compatibility.treatments import DEFAULTS, Dialect, Named, Reading
from cortex_entrypoints.http.json_parsing import validate_body
from cortex_entrypoints.http.request_bodies import ChatBody

_TOOLS: Final = [{"name": "get_weather", "description": "Tells the weather.", "parameters": SCHEMA}]
_CALL: Final = {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": "{}"}


def _said(*parts: Mapping[str, Any], role: str = "user") -> list[dict[str, Any]]:
    return [{"role": role, "content": list(parts)}]


def _read(body: Mapping[str, Any]) -> Reading:
    return Reading(request=validate_body(body, ChatBody).to_domain(DEFAULTS))


NATIVE: Final = Dialect(
    name="native",
    title="Native chat",
    path="/api/chat/completions",
    basis={"messages": [{"role": "user", "content": "hello big world"}]},
    values={
        "model": ["starter"],
        "messages": [
            Named(
                "a system message", [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
            ),
            Named(
                "reasoning",
                _said({"type": "reasoning", "text": "Two?"}, {"type": "text", "text": "Two."}, role="assistant"),
            ),
            Named("pictures", _said({"type": "image", "data": IMAGE, "media_type": "image/png"})),
            Named("sounds", _said({"type": "audio", "data": SOUND, "media_type": "audio/wav"})),
            Named("tool calls", _said(_CALL, role="assistant")),
        ],
        "prompt": [Named("a text", "Once upon a time"), Named("token ids", [1, 2, 3])],
        "temperature": [0.5],
        "top_p": [0.5],
        "top_k": [5],
        "min_p": [0.1],
        "max_tokens": [1],
        "stop": [" big", [" world"]],
        "seed": [7],
        "repetition_penalty": [1.1],
        "presence_penalty": [0.5],
        "frequency_penalty": [0.5],
        "logit_bias": [{"5": 1.5}],
        "owner": ["ada"],
        "timeout_s": [60],
        "priority": ["background"],
        "keep_alive_s": [60],
        "n": [2],
        "output": [
            Named("a JSON Schema", {"type": "json_schema", "schema": SCHEMA}),
            Named("a regular expression", {"type": "regex", "pattern": "(yes|no)"}),
            Named("a Lark grammar", {"type": "grammar", "grammar": 'start: "yes" | "no"', "syntax": "lark"}),
            Named("a GBNF grammar", {"type": "grammar", "grammar": 'root ::= "yes" | "no"', "syntax": "gbnf"}),
            Named("some texts", {"type": "choice", "choices": ["yes", "no"]}),
        ],
        "reasoning_effort": ["none", "high"],
        "logprobs": [3],
        "echo": [True],
        "tools": [_TOOLS],
        "tool_choice": ["required"],
        "parallel_tool_calls": [False],
    },
    along={
        "prompt": {"messages": None},
        "echo": {"messages": None, "prompt": "Once upon a time"},
        "tool_choice": {"tools": _TOOLS},
        "parallel_tool_calls": {"tools": _TOOLS},
    },
    read=_read,
)
