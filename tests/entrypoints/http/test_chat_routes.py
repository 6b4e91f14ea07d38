"""Chats over HTTP, through a real socket."""

from typing import Any

import pytest

from cortex_adapters.fake import FakeModelLoader, ScriptedReply, ScriptedToolCall
from cortex_domain.errors import (
    ContractViolationError,
    CortexError,
    DeadlineExceededError,
    GeneratorBusyError,
    GeneratorFailedError,
    ModelNotLoadedError,
)
from cortex_domain.generation import FinishReason
from tests.entrypoints.http.live_server import HELLO, FakeAdapters, LiveServer, live_server
from tests.entrypoints.http.malformed import MALFORMED_JSON
from tests.entrypoints.http.sse import parse_frames

CHAT = "/api/chat/completions"
STREAM = "/api/chat/completions/stream"
BOTH = pytest.mark.parametrize("path", [CHAT, STREAM])
JSON = {"Content-Type": "application/json"}


async def test_the_end_names_the_stop_text(server: LiveServer) -> None:
    body = {**HELLO, "stop": ["nowhere", " there"]}
    answer = (await server.client.post("/api/chat/completions", json=body)).json()
    assert (answer["message"]["content"], answer["stop_text"]) == ("Hello", " there")
    frames = parse_frames((await server.client.post("/api/chat/completions/stream", json=body)).text)
    assert frames[-1].data["stop_text"] == " there"


async def test_answers_in_one_piece(server: LiveServer) -> None:
    response = await server.client.post(CHAT, json=HELLO)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert body.pop("id").startswith("gen_")
    assert isinstance(body.pop("created"), int)
    assert set(body.pop("timings")) == {"queue_ms", "prefill_ms", "time_to_first_token_ms", "tokens_per_second"}
    assert body == {
        "model": "fake/echo",
        "message": {"role": "assistant", "content": "Hello there, Cortex."},
        "finish_reason": "stop",
        "usage": {
            "prompt_tokens": 4,
            "cached_prompt_tokens": 0,
            "cache_miss": None,
            "completion_tokens": 4,
            "reasoning_tokens": 0,
            "total_tokens": 8,
        },
        "warnings": [],
    }


async def test_streams_an_answer(server: LiveServer) -> None:
    response = await server.client.post(STREAM, json=HELLO)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    frames = parse_frames(response.text)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert all(frame.data["type"] == frame.event for frame in frames)
    assert [frame.event for frame in frames] == [
        "started",
        "prefill_progress",
        "prefill_progress",
        "text_delta",
        "text_delta",
        "text_delta",
        "done",
    ]
    assert "".join(frame.data.get("text", "") for frame in frames) == "Hello there, Cortex."


async def test_events_come_as_they_are_produced() -> None:
    """The first frames are there while the model has not said a word, and would never say one."""
    never = ScriptedReply(pieces=("late",), first_delay_s=1000)
    async with (
        live_server(adapters=FakeAdapters(script=[never])) as server,
        server.client.stream("POST", STREAM, json=HELLO) as response,
    ):
        lines = response.aiter_lines()
        assert await anext(lines) == "event: started"


async def test_what_the_answer_warns_of() -> None:
    reply = ScriptedReply(pieces=("x",), finish_reason=FinishReason.LENGTH, warnings=("The seed was ignored.",))
    async with live_server(adapters=FakeAdapters(script=[reply])) as server:
        body = (await server.client.post(CHAT, json=HELLO)).json()
    assert body["warnings"] == ["The seed was ignored."]
    assert body["finish_reason"] == "length"


@BOTH
@pytest.mark.parametrize("data", MALFORMED_JSON.values(), ids=MALFORMED_JSON.keys())
async def test_refuses_what_is_not_json(server: LiveServer, path: str, data: bytes) -> None:
    response = await server.client.post(path, content=data, headers=JSON)
    assert _refusal(response) == (400, "malformed_json")


@BOTH
@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"messages": []}, 400, "invalid_request", "messages"),
        ({"temperature": "hot"}, 400, "invalid_request", "temperature"),
        ({"max_tokens": -(10**40)}, 400, "invalid_request", "max_tokens"),
        ({"tool_choice": "required"}, 400, "invalid_request", "tool_choice"),
        ({"model": "../../etc/passwd"}, 400, "invalid_request", "model"),
        ({"model": "fake/ecko"}, 404, "model_not_found", None),
        ({"model": "fake/parrot"}, 409, "model_not_downloaded", None),
        ({"max_tokens": 5000}, 422, "context_window_exceeded", None),
        ({"messages": [{"role": "user", "content": "word " * 5000}]}, 422, "context_window_exceeded", None),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "data": "AAAA", "media_type": "image/png"}]}]},
            422,
            "unsupported_capability",
            "messages",
        ),
    ],
)
async def test_refuses_with_a_status(
    server: LiveServer, path: str, *, fields: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    response = await server.client.post(path, json={**HELLO, **fields})
    assert _refusal(response) == (status, code)
    assert response.json()["error"].get("param") == param
    assert (await server.client.post(CHAT, json=HELLO)).status_code == 200


async def test_an_unknown_model_comes_with_the_nearest_names(server: LiveServer) -> None:
    response = await server.client.post(CHAT, json={**HELLO, "model": "fake/ecko"})
    assert response.json()["error"]["details"]["nearest"][0] == "fake/echo"


@BOTH
async def test_a_body_that_is_too_large(server: LiveServer, path: str) -> None:
    response = await server.client.post(path, content=b" " * 20_000_000, headers=JSON)
    assert _refusal(response) == (413, "body_too_large")


async def test_a_body_that_is_too_large_and_of_unknown_length(server: LiveServer) -> None:
    async def pieces() -> Any:
        for _ in range(320):
            yield b" " * 65536

    response = await server.client.post(CHAT, content=pieces(), headers=JSON)
    assert _refusal(response) == (413, "body_too_large")


@BOTH
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_a_body_that_is_not_declared_as_json(server: LiveServer, path: str, content_type: str) -> None:
    response = await server.client.post(path, content=b"{}", headers={"Content-Type": content_type})
    assert _refusal(response) == (415, "unsupported_media_type")


async def test_json_with_a_charset_is_json(server: LiveServer) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    data = b'{"messages": [{"role": "user", "content": "\xc3\xa9"}]}'
    response = await server.client.post(CHAT, content=data, headers=headers)
    assert response.json()["message"]["content"] == "é"


@BOTH
async def test_a_refusal_by_the_generator_is_a_status(path: str) -> None:
    busy = ScriptedReply(refusal=GeneratorBusyError("32 requests wait. Try again later.", retry_after_s=2.5))
    async with live_server(adapters=FakeAdapters(script=[busy])) as server:
        response = await server.client.post(path, json=HELLO)
        assert _refusal(response) == (503, "generator_busy")
        assert response.headers["Retry-After"] == "3"
        assert response.json()["error"]["details"] == {"retry_after_s": 2.5}


@BOTH
@pytest.mark.parametrize("bug", [ContractViolationError("secret"), RuntimeError("secret")])
async def test_a_bug_on_entering_is_a_generic_500(
    path: str, bug: CortexError, caplog: pytest.LogCaptureFixture
) -> None:
    refusals = {"fake/echo": bug}
    async with live_server(adapters=FakeAdapters(loader=FakeModelLoader(refusals=refusals))) as server:  # type: ignore[arg-type]
        response = await server.client.post(path, json=HELLO)
    assert _refusal(response) == (500, "internal_error")
    assert "secret" not in response.text
    assert "secret" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (GeneratorFailedError("The engine failed."), "generator_failed"),
        (ModelNotLoadedError(model_id="fake/echo"), "model_not_loaded"),
        (ContractViolationError("secret"), "internal_error"),
        (RuntimeError("secret"), "internal_error"),
    ],
)
async def test_a_failure_in_the_middle_is_the_last_event(
    failure: CortexError, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = ScriptedReply(pieces=("one", " two"), failure=failure)
    async with live_server(adapters=FakeAdapters(script=[reply])) as server:
        frames = parse_frames((await server.client.post(STREAM, json=HELLO)).text)
    assert [frame.event for frame in frames][-3:] == ["text_delta", "text_delta", "error"]
    assert frames[-1].sequence == len(frames) - 1
    assert frames[-1].data["error"]["code"] == code
    assert "secret" not in str(frames[-1].data)
    assert ("Traceback" in caplog.text) == (code == "internal_error")


async def test_a_failure_in_the_middle_of_a_whole_answer_is_a_status() -> None:
    reply = ScriptedReply(pieces=("one",), failure=GeneratorFailedError("The engine failed."))
    async with live_server(adapters=FakeAdapters(script=[reply])) as server:
        response = await server.client.post(CHAT, json=HELLO)
    assert _refusal(response) == (503, "generator_failed")


def _refusal(response: Any) -> tuple[int, str]:
    assert response.headers["Content-Type"] == "application/json"
    error = response.json()["error"]
    assert error["message"]
    return response.status_code, error["code"]


@pytest.mark.parametrize("path", [CHAT, STREAM])
async def test_an_answer_that_is_not_done_in_time_ends_with_what_it_has(path: str) -> None:
    slow = ScriptedReply(pieces=("one", " two"), delay_s=1000)
    async with live_server(adapters=FakeAdapters(script=[slow])) as server:
        response = await server.client.post(path, json=HELLO | {"timeout_s": 0.2})
    assert response.status_code == 200
    done = response.json() if path == CHAT else parse_frames(response.text)[-1].data
    assert (done["finish_reason"], done["usage"]["completion_tokens"]) == ("cancelled", 1)


@pytest.mark.parametrize("path", [CHAT, STREAM])
async def test_a_request_that_is_not_accepted_in_time_is_a_504(path: str) -> None:
    late = ScriptedReply(refusal=DeadlineExceededError())
    async with live_server(adapters=FakeAdapters(script=[late])) as server:
        response = await server.client.post(path, json=HELLO | {"timeout_s": 0.2})
    assert (response.status_code, response.json()["error"]["code"]) == (504, "deadline_exceeded")


async def test_several_answers_to_one_request() -> None:
    script = ["Hello.", "Good morning."]
    async with live_server(adapters=FakeAdapters(script=script)) as server:
        body = (await server.client.post(CHAT, json=HELLO | {"n": 2})).json()
    assert body["message"] == {"role": "assistant", "content": "Hello."}
    assert body["choices"] == [
        {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"} for text in script
    ]


async def test_streams_several_answers(server: LiveServer) -> None:
    frames = parse_frames((await server.client.post(STREAM, json=HELLO | {"n": 2})).text)
    for choice in range(2):
        of_choice = [frame for frame in frames if frame.data.get("choice") == choice]
        assert "".join(frame.data.get("text", "") for frame in of_choice) == "Hello there, Cortex."
        assert of_choice[-1].data == {
            "type": "choice_done",
            "choice": choice,
            "finish_reason": "stop",
            "stop_text": None,
            "detail": None,
        }
    assert frames[-1].event == "done"


async def test_tells_the_tokens_of_an_answer(server: LiveServer) -> None:
    body = (await server.client.post(CHAT, json=HELLO | {"logprobs": 1})).json()
    assert [token["text"] for token in body["logprobs"]] == ["Hello", " there,", " Cortex."]
    first = body["logprobs"][0]
    assert first["top"] == [{**first, "top": []}]
    assert (bytes(first["bytes"]), first["logprob"]) == (b"Hello", 0.0)
    frames = parse_frames((await server.client.post(STREAM, json=HELLO | {"logprobs": 1})).text)
    assert [token for frame in frames for token in frame.data.get("logprobs", [])] == body["logprobs"]


async def test_tells_the_tokens_of_several_answers() -> None:
    script = ["Hello.", "Good morning."]
    async with live_server(adapters=FakeAdapters(script=script)) as server:
        body = (await server.client.post(CHAT, json=HELLO | {"n": 2, "logprobs": 0})).json()
    texts = ["".join(token["text"] for token in choice["logprobs"]) for choice in body["choices"]]
    assert (texts, body["logprobs"]) == (script, body["choices"][0]["logprobs"])


async def test_continues_a_prompt(server: LiveServer) -> None:
    body = (await server.client.post(CHAT, json={"prompt": "Once upon a time"})).json()
    assert (body["message"]["content"], body["usage"]["prompt_tokens"]) == ("Once upon a time", 4)
    refusal = (await server.client.post(CHAT, json={"prompt": [2**30]})).json()
    assert refusal["error"]["param"] == "prompt"


TOOLS = [{"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}]


async def test_answers_with_tool_calls() -> None:
    reply = ScriptedReply(pieces=("A moment.",), tool_calls=(ScriptedToolCall.to("look", at="x"),))
    async with live_server(adapters=FakeAdapters(script=[reply, "It is blue."])) as server:
        body = (await server.client.post(CHAT, json=HELLO | {"tools": TOOLS})).json()
        [call] = body["message"].pop("tool_calls")
        assert body["message"] == {"role": "assistant", "content": "A moment."}
        assert body["finish_reason"] == "tool_calls"
        assert (call["name"], call["arguments"]) == ("look", '{"at": "x"}')
        turn = [
            {"role": "assistant", "content": [{"type": "tool_call", **call}]},
            {"role": "tool", "content": [{"type": "tool_result", "call_id": call["id"], "text": "blue"}]},
        ]
        body = (await server.client.post(CHAT, json={"messages": [*HELLO["messages"], *turn], "tools": TOOLS})).json()
    assert body["message"] == {"role": "assistant", "content": "It is blue."}


async def test_streams_tool_calls() -> None:
    call = ScriptedToolCall(name="look", arguments=('{"at":', '"x"}'))
    async with live_server(adapters=FakeAdapters(script=[ScriptedReply(tool_calls=(call,))])) as server:
        frames = parse_frames((await server.client.post(STREAM, json=HELLO | {"tools": TOOLS})).text)
    told = [frame.data for frame in frames if frame.event.startswith("tool_call")]
    assert [event["type"] for event in told] == [*["tool_call_delta"] * 3, "tool_call"]
    assert "".join(event["arguments"] for event in told[:-1]) == told[-1]["arguments"] == '{"at":"x"}'
    assert {(event["id"], event["name"], event["index"], event["choice"]) for event in told} == {
        (call.id, "look", 0, 0)
    }
    assert frames[-1].data["finish_reason"] == "tool_calls"


@BOTH
async def test_a_call_that_was_cut_is_told_with_its_detail(path: str) -> None:
    script = [ScriptedReply(tool_calls=(ScriptedToolCall.to("look", at="x"),))]
    async with live_server(adapters=FakeAdapters(script=script)) as server:
        response = await server.client.post(path, json=HELLO | {"tools": TOOLS, "max_tokens": 2})
    end = response.json() if path == CHAT else parse_frames(response.text)[-1].data
    assert (end["finish_reason"], end["detail"]) == ("length", "The answer ended within the call of 'look'.")
