"""How servers are spoken with: Cortex's own dialect and OpenAI's. Pure: no connection, no clock."""

import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from cortex_entrypoints.bench.measurements import Usage
from cortex_entrypoints.bench.target import Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamNews:
    """What one event of a stream says.

    Attributes:
        has_text: Whether a piece of the answer came.
        usage: Tokens of the whole answer; None when this event does not say.
        finish_reason: Why the answer ended; None when this event does not say.
        error: What went wrong; None when nothing did.
        is_last: Whether the answer is complete.
    """

    has_text: bool = False
    usage: Usage | None = None
    finish_reason: str | None = None
    error: str | None = None
    is_last: bool = False


NOTHING = StreamNews()
TEXT = StreamNews(has_text=True)


class Dialect(Protocol):
    """A way of asking for a stream and of reading it."""

    name: str
    path: str

    @abstractmethod
    def body(self, prompt: str, sampling: Sampling, *, model: str | None) -> dict[str, Any]:
        """Builds a request; without a model the server chooses."""

    @abstractmethod
    def read(self, payload: bytes, /) -> StreamNews:
        """Reads what follows `data:` in one line of the stream.

        Raises:
            ValueError: It is not JSON.
        """


class NativeDialect(Dialect):
    """Cortex's own."""

    name = "native"
    path = "/api/chat/completions/stream"

    def body(self, prompt: str, sampling: Sampling, *, model: str | None) -> dict[str, Any]:
        """Builds a request; without a model the server takes its default."""
        return _body(prompt, sampling, model)

    def read(self, payload: bytes, /) -> StreamNews:
        """Reads one event."""
        event = json.loads(payload)
        match event["type"]:
            case "text_delta" | "reasoning_delta":
                return TEXT
            case "done":
                usage = _native_usage(event["usage"])
                return StreamNews(usage=usage, finish_reason=event["finish_reason"], is_last=True)
            case "error":
                return StreamNews(error=error_message(event))
            case _:
                return NOTHING


class OpenAiDialect(Dialect):
    """That of OpenAI's chat completions, which most servers speak."""

    name = "openai"
    path = "/v1/chat/completions"

    def body(self, prompt: str, sampling: Sampling, *, model: str | None) -> dict[str, Any]:
        """Builds a request that asks for the token counts at the end of the stream."""
        return {**_body(prompt, sampling, model), "stream": True, "stream_options": {"include_usage": True}}

    def read(self, payload: bytes, /) -> StreamNews:
        """Reads one chunk."""
        if payload == b"[DONE]":
            return StreamNews(is_last=True)
        chunk = json.loads(payload)
        if "error" in chunk:
            return StreamNews(error=error_message(chunk))
        choice: dict[str, Any] = next(iter(chunk.get("choices") or ()), {})
        delta = choice.get("delta") or {}
        return StreamNews(
            has_text=bool(delta.get("content") or delta.get("reasoning") or delta.get("reasoning_content")),
            usage=_openai_usage(chunk.get("usage")),
            finish_reason=choice.get("finish_reason"),
        )


def error_message(body: dict[str, Any]) -> str:
    """Finds the sentence in an error body: `{"error": {"message": …}}`, or `{"error": …}` with a bare string."""
    error = body.get("error", body)
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _body(prompt: str, sampling: Sampling, model: str | None) -> dict[str, Any]:
    return {
        **({} if model is None else {"model": model}),
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }


def _native_usage(usage: dict[str, Any] | None) -> Usage | None:
    if usage is None:
        return None
    return Usage(
        prompt_tokens=usage["prompt_tokens"],
        cached_prompt_tokens=usage["cached_prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
    )


def _openai_usage(usage: dict[str, Any] | None) -> Usage | None:
    if usage is None:
        return None
    return Usage(
        prompt_tokens=usage.get("prompt_tokens"),
        cached_prompt_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        completion_tokens=usage["completion_tokens"],
    )
