"""The chat endpoint of the OpenAI dialect, by OpenAI's own client."""

import re
import typing
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

from cortex_adapters.fake import ECHO_MODEL, FakeModelStore, ScriptedReply
from cortex_domain.errors import GeneratorFailedError
from cortex_domain.language_models import ModelDescriptor, ModelState
from cortex_entrypoints.http.openai.chat_body import ChatCompletionBody
from cortex_entrypoints.http.openai.parameters import WARNED
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

CHAT: Any = {"model": ECHO_MODEL, "messages": [{"role": "user", "content": "hello big world"}]}
PAGE = Path(__file__).parents[4] / "docs" / "openai.md"

REFUSED: dict[str, Any] = {
    "audio": {"voice": "alloy", "format": "wav"},
    "function_call": "auto",
    "functions": [{"name": "f"}],
    "modalities": ["text", "audio"],
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {},
}
"""Parameters that are not honoured, each with a value that asks for something."""
HARMLESS: dict[str, list[Any]] = {
    "audio": [],
    "function_call": ["none"],
    "functions": [[]],
    "modalities": [["text"]],
    "prediction": [],
    "web_search_options": [],
}
"""The values of each that ask for nothing."""

EXTENSIONS = {"top_k", "min_p", "repetition_penalty", "stream"}


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with _client_of(server) as opened:
        yield opened


def _client_of(server: LiveServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


async def test_a_chat_is_answered(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(**CHAT)
    assert completion.object == "chat.completion"
    assert completion.model == ECHO_MODEL
    [choice] = completion.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "hello big world")
    assert choice.finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


async def test_a_stream_adds_up_to_the_answer(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(**CHAT) as stream:
        async for _ in stream:
            pass
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.content == "hello big world"
    assert completion.choices[0].message.role == "assistant"


async def test_the_role_comes_once_and_the_usage_last_where_it_was_asked_for(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True})
    *chunks, last = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant", *[None] * (len(chunks) - 1)]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [*[None] * (len(chunks) - 1), "stop"]
    assert {chunk.id for chunk in chunks} == {last.id}
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 4


async def test_a_stream_without_that_has_no_usage(client: openai.AsyncOpenAI) -> None:
    chunks = [chunk async for chunk in await client.chat.completions.create(**CHAT, stream=True)]
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


async def test_the_last_frame_says_done(server: LiveServer) -> None:
    answer = await server.client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_max_tokens_cut_the_answer(client: openai.AsyncOpenAI) -> None:
    for limit in ("max_tokens", "max_completion_tokens"):
        limited: Any = {**CHAT, limit: 1}
        completion = await client.chat.completions.create(**limited)
        assert completion.choices[0].message.content == "hello"
        assert completion.choices[0].finish_reason == "length"


async def test_stop_texts_end_the_answer(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(**CHAT, stop=[" world"])
    assert completion.choices[0].message.content == "hello big"


async def test_a_developer_and_parts_of_text_are_understood(client: openai.AsyncOpenAI) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": " two"}]
    messages: Any = [{"role": "developer", "content": "be brief"}, {"role": "user", "content": parts}]
    completion = await client.chat.completions.create(model=ECHO_MODEL, messages=messages)
    assert completion.choices[0].message.content == "one two"


async def test_several_answers_are_told_apart(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(**CHAT, n=3)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert [choice.message.content for choice in completion.choices] == ["hello big world"] * 3
    async with client.chat.completions.stream(**CHAT, n=3) as stream:
        async for _ in stream:
            pass
        streamed = await stream.get_final_completion()
    assert [choice.message.content for choice in streamed.choices] == ["hello big world"] * 3
    assert [choice.message.role for choice in streamed.choices] == ["assistant"] * 3
    assert [choice.finish_reason for choice in streamed.choices] == ["stop"] * 3


async def test_what_a_model_thinks_is_told_apart(client: openai.AsyncOpenAI) -> None:
    thinking: Any = {**CHAT, "reasoning_effort": "high"}
    completion = await client.chat.completions.create(**thinking)
    assert completion.choices[0].message.content == "hello big world"
    assert completion.choices[0].message.model_extra == {"reasoning_content": "hello big world"}
    assert completion.usage is not None
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 3
    async with client.chat.completions.stream(**thinking) as stream:
        async for _ in stream:
            pass
        streamed = await stream.get_final_completion()
    assert streamed.choices[0].message.content == "hello big world"
    assert streamed.choices[0].message.model_extra == {"reasoning_content": "hello big world"}


async def test_what_it_thought_goes_back_with_the_message(client: openai.AsyncOpenAI) -> None:
    said = {"role": "assistant", "content": "Two.", "reasoning_content": "Two?"}
    messages: Any = [{"role": "user", "content": "1 + 1?"}, said, {"role": "user", "content": "sure?"}]
    completion = await client.chat.completions.create(model=ECHO_MODEL, messages=messages)
    assert completion.choices[0].message.content == "sure?"
    messages[0]["reasoning_content"] = "A user thinks aloud."
    with pytest.raises(openai.BadRequestError, match="Only an assistant"):
        await client.chat.completions.create(model=ECHO_MODEL, messages=messages)


async def test_a_model_that_does_not_think_refuses_to() -> None:
    store = FakeModelStore([ModelDescriptor(id=ECHO_MODEL, state=ModelState.DOWNLOADED)])
    async with live_server(adapters=FakeAdapters(store=store)) as server, _client_of(server) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(**CHAT, reasoning_effort="low")
        assert refused.value.param == "reasoning_effort"
        completion = await client.chat.completions.create(**CHAT, reasoning_effort="none")
        assert completion.choices[0].message.content == "hello big world"


async def test_tokens_are_told_with_their_bytes(server: LiveServer) -> None:
    strict = openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
    )
    async with strict as client:
        bare = await client.chat.completions.create(**CHAT, logprobs=True)
        completion = await client.chat.completions.create(**CHAT, logprobs=True, top_logprobs=2)
        async with client.chat.completions.stream(**CHAT, logprobs=True, top_logprobs=2) as stream:
            async for _ in stream:
                pass
            streamed = await stream.get_final_completion()
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [(token.token, bytes(token.bytes or ())) for token in logprobs.content] == [
        ("hello", b"hello"),
        (" big", b" big"),
        (" world", b" world"),
    ]
    assert [other.token for other in logprobs.content[-1].top_logprobs] == [" world", "hello"]
    assert streamed.choices[0].logprobs is not None
    assert streamed.choices[0].logprobs.model_dump() == logprobs.model_dump()
    assert bare.choices[0].logprobs is not None
    assert [token.top_logprobs for token in bare.choices[0].logprobs.content or ()] == [[]] * 3


async def test_alternatives_without_tokens_are_refused(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(**CHAT, top_logprobs=2)
    assert refused.value.param == "top_logprobs"
    silent = await client.chat.completions.create(**CHAT, logprobs=False, top_logprobs=0)
    assert silent.choices[0].logprobs is None


def test_every_documented_parameter_is_known() -> None:
    documented = set(typing.get_type_hints(CompletionCreateParamsNonStreaming)) | EXTENSIONS
    assert set(ChatCompletionBody.model_fields) == documented
    assert set(REFUSED) | WARNED <= documented
    assert set(REFUSED) == set(HARMLESS)


def test_every_parameter_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert set(ChatCompletionBody.model_fields) <= named


@pytest.mark.parametrize("parameter", sorted(REFUSED))
async def test_what_cannot_be_honoured_is_refused_by_name(client: openai.AsyncOpenAI, parameter: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(**CHAT, **{parameter: REFUSED[parameter]})
    assert (refused.value.param or "").split(".")[0] == parameter
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize("parameter", sorted(REFUSED))
async def test_what_asks_for_nothing_is_taken(client: openai.AsyncOpenAI, parameter: str) -> None:
    for value in (None, *HARMLESS[parameter]):
        completion = await client.chat.completions.create(**CHAT, extra_body={parameter: value})
        assert completion.model_extra == {}


@pytest.mark.parametrize("parameter", sorted(WARNED))
async def test_what_has_no_effect_is_listed(client: openai.AsyncOpenAI, parameter: str) -> None:
    body = {parameter: "anything"}
    completion = await client.chat.completions.create(**CHAT, extra_body=body)
    assert completion.model_extra == {"warnings": [f"{parameter} has no effect on this server."]}
    chunks = [chunk async for chunk in await client.chat.completions.create(**CHAT, stream=True, extra_body=body)]
    assert chunks[0].model_extra == completion.model_extra
    assert chunks[1].model_extra == {}


async def test_options_of_a_stream_have_no_effect_without_one(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(**CHAT, extra_body={"stream_options": {"include_usage": True}})
    assert completion.model_extra == {"warnings": ["stream_options has no effect without stream."]}


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"temperature": 2.5}, "temperature"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ({"no_such_parameter": 1}, "no_such_parameter"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "x", "tool_call_id": "1"}]}, "messages"),
        ({"messages": [{"role": "assistant"}]}, "messages"),
    ],
)
async def test_what_breaks_a_rule_is_refused(server: LiveServer, values: dict[str, Any], parameter: str) -> None:
    answer = await server.client.post("/v1/chat/completions", json={**CHAT, **values})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == parameter


async def test_pictures_elsewhere_are_not_fetched(client: openai.AsyncOpenAI) -> None:
    part = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}
    messages: Any = [{"role": "user", "content": [part]}]
    with pytest.raises(openai.BadRequestError, match="are not fetched"):
        await client.chat.completions.create(model=ECHO_MODEL, messages=messages)


async def test_a_prompt_that_is_too_long_has_the_code_that_programs_look_for(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(**CHAT, max_tokens=1_000_000)
    assert refused.value.code == "context_length_exceeded"


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await client.chat.completions.create(**{**CHAT, "model": "no/such"})
    assert refused.value.code == "model_not_found"


async def test_a_failure_in_the_middle_of_a_stream_is_the_clients_exception() -> None:
    script = [ScriptedReply(pieces=("so", " far"), failure=GeneratorFailedError("The engine failed."))]
    async with live_server(adapters=FakeAdapters(script=script)) as server, _client_of(server) as client:
        text = ""
        with pytest.raises(openai.APIError, match="The engine failed"):
            async for chunk in await client.chat.completions.create(**CHAT, stream=True):
                text += chunk.choices[0].delta.content or ""
        assert text == "so far"


async def test_a_client_that_leaves_frees_the_engine() -> None:
    script = [ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.001)]
    async with live_server(adapters=FakeAdapters(script=script)) as server, _client_of(server) as client:
        stream = await client.chat.completions.create(**CHAT, stream=True, max_tokens=4_000)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        await server.until_idle()


async def test_models_are_listed_and_described(client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(**CHAT)
    listed = (await client.models.list()).data
    assert [model.id for model in listed] == [ECHO_MODEL]
    assert await client.models.retrieve(ECHO_MODEL) == listed[0]
    assert listed[0].owned_by == "fake"
