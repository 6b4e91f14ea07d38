"""Function calling in the OpenAI dialect, by OpenAI's own client."""

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply, ScriptedToolCall
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

LOOK: Any = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks at something.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    },
}
LISTEN: Any = {"type": "function", "function": {"name": "listen"}}
CHAT: Any = {"model": ECHO_MODEL, "messages": [{"role": "user", "content": "What is there?"}], "tools": [LOOK, LISTEN]}
CALLS = (
    ScriptedToolCall(name="look", arguments=('{"at":', ' "the', ' sea"}'), id="call_1"),
    ScriptedToolCall(name="listen", arguments=("{}",), id="call_2"),
)


def _client_of(server: LiveServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def _scripted(*script: ScriptedReply | str) -> FakeAdapters:
    return FakeAdapters(script=script)


async def test_calls_are_part_of_the_message() -> None:
    async with live_server(adapters=_scripted(ScriptedReply(tool_calls=CALLS))) as server, _client_of(server) as client:
        completion = await client.chat.completions.create(**CHAT)
    [choice] = completion.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert [call.to_dict() for call in choice.message.tool_calls or ()] == [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "the sea"}'}},
        {"id": "call_2", "type": "function", "function": {"name": "listen", "arguments": "{}"}},
    ]


async def test_a_stream_names_each_call_once_and_then_its_arguments() -> None:
    reply = ScriptedReply(pieces=("A moment.",), tool_calls=CALLS)
    async with live_server(adapters=_scripted(reply)) as server, _client_of(server) as client:
        chunks = [chunk async for chunk in await client.chat.completions.create(**CHAT, stream=True)]
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [delta.role for delta in deltas] == ["assistant", *[None] * (len(deltas) - 1)]
    told = [call.to_dict() for delta in deltas for call in delta.tool_calls or ()]
    assert told == [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"at":'}},
        {"index": 0, "function": {"arguments": ' "the'}},
        {"index": 0, "function": {"arguments": ' sea"}'}},
        {"index": 1, "id": "call_2", "type": "function", "function": {"name": "listen", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [*[None] * (len(chunks) - 1), "tool_calls"]


async def test_the_streaming_helper_parses_arguments() -> None:
    class Look(BaseModel):
        """Looks at something."""

        at: str

    tool = openai.pydantic_function_tool(Look, name="look")
    async with live_server(adapters=_scripted(ScriptedReply(tool_calls=CALLS[:1]))) as server:
        client = _client_of(server)
        async with client, client.chat.completions.stream(**{**CHAT, "tools": [tool]}) as stream:
            events = [event async for event in stream]
            completion = await stream.get_final_completion()
    deltas = [event.arguments_delta for event in events if event.type == "tool_calls.function.arguments.delta"]
    assert "".join(deltas) == '{"at": "the sea"}'
    calls = completion.choices[0].message.tool_calls or []
    assert [call.id for call in calls] == ["call_1"]
    assert calls[0].function.parsed_arguments == Look(at="the sea")


async def test_a_tool_loop_goes_on_with_what_tools_returned() -> None:
    script = _scripted(ScriptedReply(tool_calls=CALLS), "Waves.")
    async with live_server(adapters=script) as server, _client_of(server) as client:
        first = await client.chat.completions.create(**CHAT)
        turn = first.choices[0].message
        results: Any = [{"role": "tool", "tool_call_id": call.id, "content": "waves"} for call in turn.tool_calls or ()]
        messages = [*CHAT["messages"], turn.model_dump(), *results]
        second = await client.chat.completions.create(**{**CHAT, "messages": messages})
    assert second.choices[0].message.content == "Waves."
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", []),
        ("auto", []),
        ("required", ["look"]),
        ({"type": "function", "function": {"name": "listen"}}, ["listen"]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [LISTEN]}}, ["listen"]),
    ],
    ids=str,
)
async def test_the_choice_is_heeded(server: LiveServer, choice: Any, names: list[str]) -> None:
    async with _client_of(server) as client:
        completion = await client.chat.completions.create(**CHAT, tool_choice=choice, parallel_tool_calls=False)
    [choice] = completion.choices
    assert [call.function.name for call in choice.message.tool_calls or ()] == names
    assert completion.model_extra == {}


async def test_a_call_that_was_cut_ends_with_length_and_a_warning() -> None:
    script = _scripted(*[ScriptedReply(tool_calls=CALLS)] * 2)
    async with live_server(adapters=script) as server, _client_of(server) as client:
        completion = await client.chat.completions.create(**CHAT, max_tokens=2)
        chunks = [chunk async for chunk in await client.chat.completions.create(**CHAT, max_tokens=2, stream=True)]
    [call] = completion.choices[0].message.tool_calls or [None]
    assert call is not None
    assert (call.function.arguments, completion.choices[0].finish_reason) == ('{"at":', "length")
    warning = {"warnings": ["The answer ended within the call of 'look'."]}
    assert completion.model_extra == warning == chunks[-1].model_extra
    assert chunks[-1].choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]}, "tools"),
        ({"tools": [LOOK, LOOK]}, "tools"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "f"}}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "smell"}}}, "tool_choice"),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "smell"}}]},
                }
            },
            "tool_choice",
        ),
        ({"tools": [], "tool_choice": "required"}, "tool_choice"),
    ],
    ids=str,
)
async def test_what_cannot_be_called_is_refused_by_name(
    server: LiveServer, values: dict[str, Any], parameter: str
) -> None:
    answer = await server.client.post("/v1/chat/completions", json={**CHAT, **values})
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"] or "").split(".")[0] == parameter


async def test_a_tool_returns_text(server: LiveServer) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    turn = {"role": "assistant", "content": None, "tool_calls": [call]}
    parts = [{"type": "text", "text": "wa"}, {"type": "text", "text": "ves"}]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    for content, status in ((parts, 200), ("waves", 200), ([*parts, image], 400), (None, 400)):
        result = {"role": "tool", "tool_call_id": "call_1", "content": content}
        answer = await server.client.post("/v1/chat/completions", json={**CHAT, "messages": [turn, result]})
        assert answer.status_code == status, answer.text
        if status == 200:
            assert json.loads(answer.text)["choices"][0]["message"]["content"] == "waves"
