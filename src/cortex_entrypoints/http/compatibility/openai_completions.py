"""OpenAI's completions of raw prompts."""

from collections.abc import Mapping
from typing import Any, Final

from cortex_entrypoints.http.compatibility.treatments import DEFAULTS, Dialect, Named, Reading
from cortex_entrypoints.http.json_parsing import validate_body
from cortex_entrypoints.http.openai.completion_body import CompletionBody


def _read(body: Mapping[str, Any]) -> Reading:
    """Reads a body; all its prompts ask the same of a model."""
    parsed = validate_body(body, CompletionBody)
    return Reading(request=parsed.to_domain(DEFAULTS)[0], warnings=parsed.warnings)


OPENAI_COMPLETIONS: Final = Dialect(
    name="openai_completions",
    title="OpenAI completions",
    path="/v1/completions",
    basis={"prompt": "hello big world"},
    values={
        "prompt": [
            Named("a text", "one two"),
            Named("texts", ["one", "two"]),
            Named("token ids", [0, 1, 2]),
            Named("lists of token ids", [[0, 1], [2]]),
        ],
        "model": ["starter"],
        "best_of": [2],
        "echo": [True],
        "frequency_penalty": [0.5],
        "logit_bias": [{"5": 1.5}],
        "logprobs": [3],
        "max_tokens": [1],
        "n": [2],
        "presence_penalty": [0.5],
        "seed": [7],
        "stop": [" big", [" world"]],
        "stream": [True],
        "stream_options": [{"include_usage": True}, {"include_obfuscation": True}],
        "suffix": ["the end"],
        "temperature": [0.5],
        "top_p": [0.5],
        "user": ["ada"],
        "top_k": [5],
        "min_p": [0.1],
        "repetition_penalty": [1.1],
    },
    along={"stream_options": {"stream": True}},
    read=_read,
)
