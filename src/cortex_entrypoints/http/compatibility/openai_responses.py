"""OpenAI's responses."""

from collections.abc import Mapping
from typing import Any, Final

from cortex_entrypoints.http.compatibility.example_values import IMAGE, SCHEMA
from cortex_entrypoints.http.compatibility.treatments import DEFAULTS, Dialect, Named, Reading
from cortex_entrypoints.http.json_parsing import validate_body
from cortex_entrypoints.http.openai.responses.body import ResponseBody
from cortex_entrypoints.http.openai.responses.input_items import ItemReferenceBody, messages_of

_TOOLS: Final = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}]
_WITH_TOOLS: Final = {"tools": _TOOLS}


def _read(body: Mapping[str, Any]) -> Reading:
    """Reads a body; what is stored is not looked for."""
    parsed = validate_body(body, ResponseBody)
    messages = messages_of([item for item in parsed.items if not isinstance(item, ItemReferenceBody)])
    request = parsed.to_domain(DEFAULTS, messages, owner=parsed.user or "")
    return Reading(request=request, warnings=parsed.warnings)


OPENAI_RESPONSES: Final = Dialect(
    name="openai_responses",
    title="OpenAI responses",
    path="/v1/responses",
    basis={"input": "hello big world"},
    values={
        "input": [
            Named("text", [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}]),
            Named(
                "pictures in a `data:` URL",
                [{"role": "user", "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}"}]}],
            ),
            Named("files", [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]),
        ],
        "instructions": ["Be brief."],
        "model": ["starter"],
        "previous_response_id": ["resp_1"],
        "store": [False],
        "stream": [True],
        "stream_options": [{"include_obfuscation": True}],
        "max_output_tokens": [1],
        "text": [
            Named("`json_object`", {"format": {"type": "json_object"}}),
            Named(
                "`json_schema`", {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
            ),
            Named("`verbosity`", {"verbosity": "low"}),
        ],
        "reasoning": [{"effort": "none"}, {"effort": "high"}, {"summary": "auto"}],
        "metadata": [{"key": "value"}],
        "user": ["ada"],
        "truncation": ["auto"],
        "service_tier": ["flex"],
        "include": [
            ["message.input_image.image_url"],
            ["reasoning.encrypted_content"],
            ["message.output_text.logprobs"],
        ],
        "background": [True],
        "background_options": [{"completion_window": "2h"}],
        "context_management": [[{"type": "compaction"}]],
        "conversation": ["conv_1"],
        "image": [{"context_compression": "auto"}],
        "prompt": [{"id": "pmpt_1"}],
        "tool_choice": [
            Named("`required`", "required"),
            Named("a function", {"type": "function", "name": "get_weather"}),
        ],
        "tools": [Named("functions", _TOOLS), Named("hosted tools", [{"type": "web_search"}])],
        "parallel_tool_calls": [False],
        "top_logprobs": [3],
        "temperature": [0.5],
        "top_p": [0.5],
        "access_programs": [{"cyber": "standard"}],
        "max_tool_calls": [3],
        "moderation": [{"model": "omni-moderation-latest"}],
        "prompt_cache_key": ["key"],
        "prompt_cache_options": [{"ttl": "30m"}],
        "prompt_cache_retention": ["24h"],
        "safety_identifier": ["somebody"],
        "stop": [" big", [" world"]],
        "seed": [7],
        "presence_penalty": [0.5],
        "frequency_penalty": [0.5],
        "logit_bias": [{"5": 1.5}],
        "top_k": [5],
        "min_p": [0.1],
        "repetition_penalty": [1.1],
    },
    along={"stream_options": {"stream": True}, "tool_choice": _WITH_TOOLS, "parallel_tool_calls": _WITH_TOOLS},
    read=_read,
)
