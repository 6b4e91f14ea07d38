"""One event, one frame, whatever its text."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.events import (
    GenerationFinished,
    GenerationStarted,
    PullFinished,
    PullProgress,
    PullStarted,
    TextDelta,
)
from cortex_domain.generation import CacheMiss, CacheMissReason, FinishReason, GenerationTimings, TokenUsage
from cortex_domain.language_models import ModelId
from cortex_entrypoints.http.event_encoding import encode_socket_event, encode_sse
from cortex_entrypoints.http.response_bodies import ErrorEvent, ErrorFacts
from tests.entrypoints.http.sse import parse_frames

HOSTILE = "\n\nevent: done\ndata: {}\r\n\r\n\u2028\u2029\x85\x00"
DONE = GenerationFinished(
    finish_reason=FinishReason.LENGTH,
    usage=TokenUsage(
        prompt_tokens=3,
        cached_prompt_tokens=1,
        cache_miss=CacheMiss(reason=CacheMissReason.DIVERGED, message_index=0, token_position=1),
        completion_tokens=4,
    ),
    timings=GenerationTimings(queue_ms=1.0, prefill_ms=2.0, time_to_first_token_ms=3.5, tokens_per_second=40.0),
)


@given(st.text(min_size=1) | st.just(HOSTILE))
def test_no_text_can_forge_a_frame(text: str) -> None:
    frame = encode_sse(TextDelta(text=text), sequence=3)
    assert frame.count(b"\n") == 4
    assert b"\r" not in frame
    (parsed,) = parse_frames(frame.decode())
    assert (parsed.event, parsed.sequence, parsed.data) == (
        "text_delta",
        3,
        {"type": "text_delta", "text": text, "choice": 0, "logprobs": []},
    )


def test_the_end_says_all_that_was_measured() -> None:
    (frame,) = parse_frames(encode_sse(DONE, sequence=9).decode())
    assert frame.data == {
        "type": "done",
        "finish_reason": "length",
        "stop_text": None,
        "usage": {
            "prompt_tokens": 3,
            "cached_prompt_tokens": 1,
            "cache_miss": {"reason": "diverged", "message_index": 0, "token_position": 1},
            "completion_tokens": 4,
            "reasoning_tokens": 0,
            "total_tokens": 7,
        },
        "timings": {"queue_ms": 1.0, "prefill_ms": 2.0, "time_to_first_token_ms": 3.5, "tokens_per_second": 40.0},
        "detail": None,
    }


def test_the_two_kinds_of_start_are_told_apart() -> None:
    generation = GenerationStarted(generation_id="gen_1", model=ModelId("a/b"), created_s=5, prompt_tokens=3)
    pull = PullStarted(model=ModelId("a/b"), revision=None, total_bytes=7)
    assert _data(generation) == {
        "type": "started",
        "generation_id": "gen_1",
        "model": "a/b",
        "created_s": 5,
        "prompt_tokens": 3,
        "warnings": [],
    }
    assert _data(pull) == {"type": "started", "model": "a/b", "revision": None, "total_bytes": 7}


def test_pull_events_keep_their_names() -> None:
    assert _data(PullProgress(completed_bytes=1, total_bytes=2))["type"] == "progress"
    assert _data(PullFinished(model=ModelId("a/b"), revision="abc", size_bytes=2))["type"] == "done"


def test_an_error_leaves_out_what_it_does_not_say() -> None:
    assert _data(ErrorEvent(error=ErrorFacts(code="x", message="y"))) == {
        "type": "error",
        "error": {"code": "x", "message": "y"},
    }


def test_a_socket_event_names_its_chat() -> None:
    text = encode_socket_event(TextDelta(text=HOSTILE), request_id="r", sequence=2)
    fields = {"type": "text_delta", "text": HOSTILE, "choice": 0, "logprobs": []}
    assert json.loads(text) == fields | {"request_id": "r", "sequence": 2}


def _data(event: Any) -> dict[str, Any]:
    (frame,) = parse_frames(encode_sse(event, sequence=0).decode())
    return frame.data
