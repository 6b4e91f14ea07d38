import json
from typing import Any

import pytest

from cortex_domain.events import GenerationFinished, TextDelta
from cortex_domain.generation import FinishReason, GenerationTimings, TokenUsage
from cortex_entrypoints.bench.dialects import NOTHING, Dialect, NativeDialect, OpenAiDialect, error_message
from cortex_entrypoints.bench.measurements import Usage
from cortex_entrypoints.bench.target import Sampling
from cortex_entrypoints.http.event_encoding import encode_sse
from cortex_entrypoints.http.request_bodies import ChatBody

SAMPLING = Sampling(max_tokens=96, temperature=0.7, top_p=1.0)
NATIVE, OPENAI = NativeDialect(), OpenAiDialect()


def chunk(**fields: Any) -> bytes:
    return json.dumps({"object": "chat.completion.chunk", **fields}).encode()


def test_cortex_accepts_the_native_body() -> None:
    ChatBody.model_validate(NATIVE.body("Hello.", SAMPLING, model="starter"))
    ChatBody.model_validate(NATIVE.body("Hello.", SAMPLING, model=None))


@pytest.mark.parametrize("dialect", [NATIVE, OPENAI])
def test_a_body_leaves_no_choice_to_the_server_but_the_model(dialect: Dialect) -> None:
    body = dialect.body("Hello.", SAMPLING, model=None)
    assert (body["max_tokens"], body["temperature"], body["top_p"]) == (96, 0.7, 1.0)
    assert "model" not in body
    assert dialect.body("Hello.", SAMPLING, model="a/b")["model"] == "a/b"


def test_openai_is_asked_for_the_token_counts() -> None:
    assert OPENAI.body("Hello.", SAMPLING, model=None)["stream_options"] == {"include_usage": True}


def test_what_cortex_encodes_is_read() -> None:
    finished = GenerationFinished(
        finish_reason=FinishReason.LENGTH,
        usage=TokenUsage(prompt_tokens=80, cached_prompt_tokens=24, completion_tokens=96),
        timings=GenerationTimings(queue_ms=0, prefill_ms=0, time_to_first_token_ms=0, tokens_per_second=0),
    )
    text, end = (
        encode_sse(event, sequence=0).partition(b"data: ")[2].strip() for event in (TextDelta(text="a"), finished)
    )
    assert NATIVE.read(text).has_text
    news = NATIVE.read(end)
    assert news.usage == Usage(prompt_tokens=80, cached_prompt_tokens=24, completion_tokens=96)
    assert (news.finish_reason, news.is_last) == ("length", True)


def test_other_native_events_say_nothing() -> None:
    assert NATIVE.read(b'{"type": "prefill_progress"}') == NOTHING


def test_a_native_error_ends_the_answer() -> None:
    assert NATIVE.read(b'{"type": "error", "error": {"code": "x", "message": "gone"}}').error == "gone"


@pytest.mark.parametrize("field", ["content", "reasoning", "reasoning_content"])
def test_text_and_reasoning_are_both_text(field: str) -> None:
    assert OPENAI.read(chunk(choices=[{"delta": {field: "a"}, "finish_reason": None}])).has_text


def test_a_role_or_an_empty_delta_is_no_text() -> None:
    assert not OPENAI.read(chunk(choices=[{"delta": {"role": "assistant", "content": ""}}])).has_text


def test_the_end_of_an_openai_stream() -> None:
    news = OPENAI.read(chunk(choices=[{"delta": {}, "finish_reason": "length"}]))
    assert (news.finish_reason, news.is_last) == ("length", False)
    usage = {"prompt_tokens": 80, "completion_tokens": 96, "prompt_tokens_details": {"cached_tokens": 24}}
    counted = OPENAI.read(chunk(choices=[], usage=usage)).usage
    assert counted == Usage(prompt_tokens=80, cached_prompt_tokens=24, completion_tokens=96)
    assert OPENAI.read(b"[DONE]").is_last


@pytest.mark.parametrize("body", [{"error": "gone"}, {"error": {"message": "gone"}}, {"message": "gone"}])
def test_errors_come_in_three_forms(body: dict[str, Any]) -> None:
    assert error_message(body) == "gone"
