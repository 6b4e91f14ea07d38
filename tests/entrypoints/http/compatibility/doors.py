"""The dialects as their clients know them: what is documented, and where an answer says what."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anthropic.types import message_create_params as anthropic_params
from anthropic.types.beta import message_create_params as beta_params
from openai.types import completion_create_params as completion_params
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import response_create_params as response_params

from cortex_entrypoints.http.compatibility.dialects import DIALECTS
from cortex_entrypoints.http.compatibility.treatments import Dialect
from cortex_entrypoints.http.request_bodies import ChatBody


@dataclass(frozen=True, kw_only=True)
class Door:
    """A dialect and its documentation.

    Attributes:
        dialect: The dialect.
        documented: Parameters that its own client knows.
        extensions: Parameters that only Cortex knows.
        also_named: For a parameter, another one that asks the same of a model and is named in its place.
        refused_of: Returns the parameter that an error names, or raises if it is not in this dialect's form.
    """

    dialect: Dialect
    documented: frozenset[str]
    extensions: frozenset[str] = frozenset()
    also_named: Mapping[str, str] = field(default_factory=dict)
    refused_of: Callable[[Mapping[str, Any]], str]

    def names_of(self, parameter: str) -> set[str]:
        """Names by which a refusal may call a parameter: its own, or that of what goes along with it."""
        along = self.dialect.along.get(parameter, ())
        return {parameter, self.also_named.get(parameter, parameter), *along}


def _native_refusal(body: Mapping[str, Any]) -> str:
    assert body.keys() == {"error"}
    return str(body["error"]["param"])


def _openai_refusal(body: Mapping[str, Any]) -> str:
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["error"]["type"] == "invalid_request_error"
    return str(body["error"]["param"])


def _anthropic_refusal(body: Mapping[str, Any]) -> str:
    assert body.keys() == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert body["error"]["type"] == "invalid_request_error"
    return str(body["error"]["details"]["param"])


def _fields(*bodies: Any) -> frozenset[str]:
    """Names of the fields of a client's own types."""
    return frozenset(name for body in bodies for name in typing.get_type_hints(body))


def _dialect(name: str) -> Dialect:
    return next(dialect for dialect in DIALECTS if dialect.name == name)


DOORS = (
    Door(dialect=_dialect("native"), documented=frozenset(ChatBody.model_fields), refused_of=_native_refusal),
    Door(
        dialect=_dialect("openai_chat_completions"),
        documented=_fields(chat_params.CompletionCreateParamsNonStreaming, chat_params.CompletionCreateParamsStreaming),
        extensions=frozenset({"top_k", "min_p", "repetition_penalty"}),
        refused_of=_openai_refusal,
    ),
    Door(
        dialect=_dialect("openai_completions"),
        documented=_fields(
            completion_params.CompletionCreateParamsNonStreaming, completion_params.CompletionCreateParamsStreaming
        ),
        extensions=frozenset({"top_k", "min_p", "repetition_penalty"}),
        also_named={"best_of": "n"},
        refused_of=_openai_refusal,
    ),
    Door(
        dialect=_dialect("openai_responses"),
        documented=_fields(
            response_params.ResponseCreateParamsNonStreaming, response_params.ResponseCreateParamsStreaming
        ),
        extensions=frozenset(
            {
                "frequency_penalty",
                "logit_bias",
                "min_p",
                "presence_penalty",
                "repetition_penalty",
                "seed",
                "stop",
                "top_k",
            }
        ),
        also_named={"include": "top_logprobs"},
        refused_of=_openai_refusal,
    ),
    Door(
        dialect=_dialect("anthropic_messages"),
        # "betas" is a header.
        documented=_fields(anthropic_params.MessageCreateParamsStreaming, beta_params.MessageCreateParamsStreaming)
        - {"betas"},
        extensions=frozenset({"temperature", "top_k", "top_p"}),  # of older clients
        also_named={"thinking": "output_config"},
        refused_of=_anthropic_refusal,
    ),
)
