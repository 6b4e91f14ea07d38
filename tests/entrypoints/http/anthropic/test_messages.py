"""The messages endpoint of the Anthropic dialect, by Anthropic's own clients."""

import asyncio
from typing import Any

import anthropic
import pytest

from cortex_adapters.fake import ECHO_MODEL, FakeModelLoader, ScriptedReply
from cortex_domain.errors import CortexError, GeneratorBusyError, GeneratorFailedError, ShuttingDownError
from cortex_domain.generation import FinishReason
from tests.entrypoints.http.anthropic.clients import CHAT, MESSAGES, client_of, listening, text_of
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server


async def test_a_chat_is_answered(client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(**CHAT)
    assert (message.type, message.role, message.model) == ("message", "assistant", ECHO_MODEL)
    assert text_of(message) == "hello big world"
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (4, 4)
    assert message._request_id


async def test_a_client_that_blocks_is_answered(server: LiveServer) -> None:
    def ask() -> str:
        with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as client:
            with client.messages.stream(**CHAT) as stream:
                text = "".join(stream.text_stream)
            return text + " | " + text_of(client.messages.create(**CHAT))

    assert await asyncio.to_thread(ask) == "hello big world | hello big world"


async def test_a_stream_adds_up_to_the_answer(client: anthropic.AsyncAnthropic) -> None:
    whole = await client.messages.create(**CHAT)
    async with client.messages.stream(**CHAT) as stream:
        pieces = [text async for text in stream.text_stream]
        streamed = await stream.get_final_message()
    assert pieces == ["hello", " big", " world"]
    known = {"id", "content"}
    assert streamed.model_dump(exclude=known) == whole.model_dump(exclude=known)
    assert text_of(streamed) == text_of(whole)


async def test_a_stream_has_the_events_of_the_dialect_in_its_order(server: LiveServer) -> None:
    answer = await server.client.post("/v1/messages", json={**CHAT, "stream": True})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    frames = [frame.split("\n") for frame in answer.text.removesuffix("\n\n").split("\n\n")]
    assert all(len(frame) == 2 for frame in frames)
    events = [frame[0].removeprefix("event: ") for frame in frames]
    assert [event for event in events if event != "ping"] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events.count("ping") == 2


async def test_an_answer_without_text_has_no_block() -> None:
    async with live_server(adapters=FakeAdapters(script=[ScriptedReply()] * 2)) as server, client_of(server) as client:
        assert (await client.messages.create(**CHAT)).content == []
        async with client.messages.stream(**CHAT) as stream:
            assert (await stream.get_final_message()).content == []


async def test_max_tokens_cut_the_answer(client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(**{**CHAT, "max_tokens": 2})
    assert text_of(message) == "hello big"
    assert message.stop_reason == "max_tokens"


async def test_an_answer_may_fill_the_window() -> None:
    """Clients ask for as many tokens as the largest models give, whatever the model has room for."""
    adapters = FakeAdapters(loader=FakeModelLoader(context_window=6))
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        message = await client.messages.create(**{**CHAT, "max_tokens": 20_000})
    assert text_of(message) == "hello big"
    assert message.stop_reason == "model_context_window_exceeded"


async def test_the_stop_sequence_that_ended_an_answer_is_told(client: anthropic.AsyncAnthropic) -> None:
    stops: Any = {"stop_sequences": ["nowhere", " world", "orl"]}
    message = await client.messages.create(**CHAT, **stops)
    assert text_of(message) == "hello big w"
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "orl")
    async with client.messages.stream(**CHAT, **stops) as stream:
        streamed = await stream.get_final_message()
    assert (streamed.stop_reason, streamed.stop_sequence) == ("stop_sequence", "orl")


async def test_an_answer_that_was_broken_off_has_a_reason_that_clients_know() -> None:
    script = [ScriptedReply(pieces=("so",), finish_reason=FinishReason.CANCELLED)]
    async with live_server(adapters=FakeAdapters(script=script)) as server, client_of(server) as client:
        assert (await client.messages.create(**CHAT)).stop_reason == "end_turn"


async def test_warnings_come_with_the_answer(client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(**CHAT, service_tier="standard_only")
    assert message.model_extra == {"warnings": ["service_tier has no effect on this server."]}
    stream = await client.messages.create(**CHAT, service_tier="standard_only", stream=True)
    start: Any
    start, *_ = [event async for event in stream]
    assert start.message.model_extra == message.model_extra


async def test_a_system_prompt_comes_first() -> None:
    generator, adapters = listening()
    blocks: Any = [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": " Be kind."},
    ]
    turns: Any = [
        {"role": "user", "content": "one"},
        {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": " three"}]},
        {"role": "assistant", "content": "four"},
        {"role": "system", "content": "five"},
        {"role": "user", "content": "six"},
    ]
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        for system in (blocks, "Be brief. Be kind."):
            await client.messages.create(**{**CHAT, "messages": turns}, system=system, metadata={"user_id": "ada"})
        await client.messages.create(**CHAT, system="")
    for request in generator.asked[:2]:
        assert [(message.role.value, message.text) for message in request.messages] == [
            ("system", "Be brief. Be kind."),
            ("user", "one\n\ntwo three"),
            ("assistant", "four"),
            ("system", "five"),
            ("user", "six"),
        ]
        assert request.owner == "ada"
    assert [message.role.value for message in generator.asked[2].messages] == ["user"]


async def test_sampling_is_passed_on() -> None:
    generator, adapters = listening()
    async with live_server(adapters=adapters, default_temperature=0.3) as server, client_of(server) as client:
        await client.messages.create(**CHAT, extra_body={"temperature": 0.5, "top_p": 0, "top_k": 7})
        await client.messages.create(**CHAT, extra_body={"top_k": 0})
    asked = [request.sampling for request in generator.asked]
    assert (asked[0].temperature, asked[0].top_k) == (0.5, 7)
    assert 0 < asked[0].top_p < 1e-6
    assert (asked[1].temperature, asked[1].top_k) == (0.3, None)


async def test_a_failure_in_the_middle_of_a_stream_is_the_clients_exception() -> None:
    script = [ScriptedReply(pieces=("so", " far"), failure=GeneratorFailedError("The engine failed."))] * 2
    async with live_server(adapters=FakeAdapters(script=script)) as server, client_of(server) as client:
        text = ""
        with pytest.raises(anthropic.APIStatusError, match="The engine failed") as failed:
            async with client.messages.stream(**CHAT) as stream:
                async for piece in stream.text_stream:
                    text += piece
        assert text == "so far"
        assert (failed.value.type, failed.value.error_code) == ("api_error", "generator_failed")
        with pytest.raises(anthropic.APIStatusError, match="The engine failed"):
            async for _ in await client.messages.create(**CHAT, stream=True):
                pass


@pytest.mark.parametrize(
    ("error", "exception", "error_type"),
    [
        (GeneratorBusyError("Too many.", retry_after_s=3), anthropic.OverloadedError, "overloaded_error"),
        (ShuttingDownError("Stopping."), anthropic.OverloadedError, "overloaded_error"),
        (GeneratorFailedError("The engine failed."), anthropic.ServiceUnavailableError, "api_error"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_refusals_are_the_clients_exceptions(
    error: CortexError, exception: type[anthropic.APIStatusError], error_type: str
) -> None:
    adapters = FakeAdapters(script=[ScriptedReply(refusal=error)])
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        with pytest.raises(exception) as refused:
            await client.messages.create(**CHAT)
    assert (refused.value.type, refused.value.error_code) == (error_type, error.code)
    assert refused.value.request_id == refused.value.body["request_id"]  # type: ignore[index]


async def test_an_unknown_model_is_not_found(client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as refused:
        await client.messages.create(**{**CHAT, "model": "claude-of-another-server"})
    assert (refused.value.type, refused.value.error_code) == ("not_found_error", "model_not_found")


async def test_a_body_that_is_too_large_is_refused_in_this_form(server: LiveServer) -> None:
    body = {**CHAT, "system": "x" * (17 * 1024 * 1024)}
    answer = await server.client.post("/v1/messages", json=body)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"


async def test_what_is_no_json_is_refused_in_this_form(server: LiveServer) -> None:
    answer = await server.client.post("/v1/messages", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    error = answer.json()
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert error["request_id"] == answer.headers["request-id"]


async def test_a_client_that_leaves_frees_the_engine() -> None:
    script = [ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.001)]
    async with live_server(adapters=FakeAdapters(script=script)) as server, client_of(server) as client:
        async with client.messages.stream(**{**CHAT, "max_tokens": 4_000}) as stream:
            async for _ in stream.text_stream:
                break
        await server.until_idle()


async def test_any_key_version_and_beta_will_do(server: LiveServer) -> None:
    answers = [
        await server.client.post("/v1/messages", params=params, headers=headers, json=CHAT)
        for headers in (
            {},
            {"x-api-key": "anything"},
            {"Authorization": "Bearer anything"},
            {"anthropic-version": "2042-01-01", "anthropic-beta": "claude-code-20250219,oauth-2025-04-20"},
        )
        for params in ({}, {"beta": "true"})
    ]
    assert [answer.status_code for answer in answers] == [200] * 8


async def test_the_client_of_betas_is_answered(client: anthropic.AsyncAnthropic) -> None:
    message = await client.beta.messages.create(**CHAT, betas=["context-management-2025-06-27"])
    assert text_of(message) == "hello big world"


async def test_a_program_that_sends_much_is_answered(client: anthropic.AsyncAnthropic) -> None:
    """The form in which coding assistants ask: a long system prompt in marked blocks, many blocks in a turn."""
    marked = {"cache_control": {"type": "ephemeral"}}
    system: Any = [{"type": "text", "text": "Rules. " * 20, **marked} for _ in range(10)]
    reminders: Any = [{"type": "text", "text": f"<reminder>{n}</reminder>\n"} for n in range(200)]
    asked: Any = {
        "system": system,
        "messages": [{"role": "user", "content": [*reminders, {"type": "text", "text": "hello", **marked}]}],
        "metadata": {"user_id": '{"device_id": "' + "d" * 64 + '", "session_id": "' + "s" * 36 + '"}'},
        "thinking": {"type": "disabled"},
        "context_management": {"edits": []},
        "extra_body": {"temperature": 1},
        "betas": ["prompt-caching-scope-2026-01-05"],
    }
    message = await client.beta.messages.create(model=ECHO_MODEL, max_tokens=20_000, **asked)
    assert text_of(message).endswith("hello")
    assert message.model_extra == {"warnings": ["context_management has no effect on this server."]}


async def test_prompts_are_counted(client: anthropic.AsyncAnthropic) -> None:
    counted = await client.messages.count_tokens(model=ECHO_MODEL, messages=MESSAGES)
    assert counted.input_tokens == (await client.messages.create(**CHAT)).usage.input_tokens == 4
    with_system = await client.beta.messages.count_tokens(
        model=ECHO_MODEL, messages=MESSAGES, system=[{"type": "text", "text": "Be brief."}]
    )
    assert with_system.input_tokens == 7


async def test_a_prompt_beyond_the_window_is_counted() -> None:
    adapters = FakeAdapters(loader=FakeModelLoader(context_window=3))
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        assert (await client.messages.count_tokens(model=ECHO_MODEL, messages=MESSAGES)).input_tokens == 4
        with pytest.raises(anthropic.BadRequestError) as refused:
            await client.messages.create(**CHAT)
    assert refused.value.error_code == "context_window_exceeded"


async def test_counting_for_an_unknown_model_is_refused(client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        await client.messages.count_tokens(model="no/such", messages=MESSAGES)
