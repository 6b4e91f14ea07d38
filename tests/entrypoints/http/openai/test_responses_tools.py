"""Function calls and log-probabilities in the Responses API, by OpenAI's own client."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply, ScriptedToolCall
from tests.entrypoints.http.listening_generator import ListeningGenerator
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}
TIME: dict[str, Any] = {"type": "function", "name": "get_time", "parameters": None, "strict": False}
ASKED: Any = {"model": ECHO_MODEL, "input": "How is the weather in Rome?", "tools": [WEATHER, TIME]}
CALL = ScriptedToolCall(name="get_weather", arguments=('{"city":', ' "Rome"}'), id="call_1")


@asynccontextmanager
async def _client(*script: ScriptedReply | str) -> AsyncIterator[tuple[openai.AsyncOpenAI, ListeningGenerator]]:
    adapters = FakeAdapters(script=script or None)
    adapters.generator = generator = ListeningGenerator(adapters.fake_generator)
    async with (
        live_server(adapters=adapters) as server,
        openai.AsyncOpenAI(
            base_url=f"{server.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
        ) as client,
    ):
        yield client, generator


def _kinds(events: Sequence[Any]) -> list[str]:
    return [event.type.removeprefix("response.") for event in events]


async def _stream(client: openai.AsyncOpenAI, **asked: Any) -> list[Any]:
    return [event async for event in await client.responses.create(**{**ASKED, **asked}, stream=True)]


async def test_a_call_is_an_item() -> None:
    async with _client(ScriptedReply(tool_calls=(CALL,))) as (client, generator):
        response = await client.responses.create(**ASKED)
    [call] = response.output
    assert call.type == "function_call"
    assert (call.call_id, call.name, call.status) == ("call_1", "get_weather", "completed")
    assert json.loads(call.arguments) == {"city": "Rome"}
    assert response.status == "completed"
    assert [tool.name for tool in generator.requests[0].tools] == ["get_weather", "get_time"]


async def test_arguments_are_streamed_as_they_come() -> None:
    async with _client(ScriptedReply(pieces=("Let", " me", " see."), tool_calls=(CALL,))) as (client, _):
        events = await _stream(client)
    assert _kinds(events)[2:] == [
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 3,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        *["function_call_arguments.delta"] * 2,
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    added, *deltas, done, item, last = events[10:]
    assert (added.item.call_id, added.item.name, added.item.arguments) == ("call_1", "get_weather", "")
    assert "".join(event.delta for event in deltas) == done.arguments == item.item.arguments
    assert {event.output_index for event in events[10:-1]} == {1}
    assert [output.type for output in last.response.output] == ["message", "function_call"]


async def test_several_calls_come_one_after_the_other() -> None:
    second = ScriptedToolCall.to("get_time")
    async with (
        _client(ScriptedReply(tool_calls=(CALL, second))) as (client, _),
        client.responses.stream(**ASKED) as stream,
    ):
        events = [event async for event in stream]
        response = await stream.get_final_response()
    assert [call.name for call in response.output if call.type == "function_call"] == ["get_weather", "get_time"]
    assert [event.output_index for event in events if event.type == "response.output_item.done"] == [0, 1]


async def test_a_tool_loop_by_items() -> None:
    async with _client(ScriptedReply(tool_calls=(CALL,)), "It is sunny.") as (client, generator):
        said: Any = [{"role": "user", "content": ASKED["input"]}]
        first = await client.responses.create(**{**ASKED, "input": said})
        said += first.output
        said += [
            {"type": "function_call_output", "call_id": item.call_id, "output": "sunny"}
            for item in first.output
            if item.type == "function_call"
        ]
        second = await client.responses.create(**{**ASKED, "input": said})
        assert second.output_text == "It is sunny."
        listed: Any = (await client.responses.input_items.list(second.id, order="asc")).data
    user, call, result = generator.requests[1].messages
    assert [part.name for part in call.tool_calls] == ["get_weather"]
    assert [(part.call_id, part.text) for part in result.tool_results] == [("call_1", "sunny")]
    assert user.text == ASKED["input"]
    assert [item.type for item in listed] == ["message", "function_call", "function_call_output"]


async def test_a_tool_loop_by_the_response_before() -> None:
    reply = ScriptedReply(reasoning=("where?",), pieces=("Let me see.",), tool_calls=(CALL,))
    async with _client(reply, "It is sunny.") as (client, generator):
        first = await client.responses.create(**ASKED, reasoning={"effort": "low"})
        output: Any = [{"type": "input_text", "text": "sunny"}]
        result: Any = {"type": "function_call_output", "call_id": "call_1", "output": output}
        second = await client.responses.create(**{**ASKED, "input": [result]}, previous_response_id=first.id)
    assert second.output_text == "It is sunny."
    _, call, _ = generator.requests[1].messages
    assert (call.reasoning, call.text, len(call.tool_calls)) == ("where?", "Let me see.", 1)


class get_weather(BaseModel):  # noqa: N801 - the name of the tool
    """Tells the weather."""

    city: str


async def test_arguments_are_parsed_by_a_class() -> None:
    tools: Any = [openai.pydantic_function_tool(get_weather)]
    flat = [{"type": "function", **tool["function"]} for tool in tools]
    async with _client(ScriptedReply(tool_calls=(CALL,))) as (client, _):
        parsed = await client.responses.parse(**{**ASKED, "tools": flat})
    [call] = parsed.output
    assert call.type == "function_call"
    assert call.parsed_arguments == {"city": "Rome"}


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "get_weather"),
        ({"type": "function", "name": "get_time"}, "get_time"),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_time"}]},
            "get_time",
        ),
    ],
)
async def test_a_call_is_forced(choice: Any, name: str) -> None:
    async with _client() as (client, _):
        response = await client.responses.create(**ASKED, tool_choice=choice)
    [call] = response.output
    assert call.type == "function_call"
    assert call.name == name
    assert json.loads(call.arguments) == ({"city": "a"} if name == "get_weather" else {})
    repeated: Any = response.tool_choice
    assert (repeated if isinstance(choice, str) else repeated.model_dump()) == choice


async def test_what_was_asked_of_tools_is_repeated() -> None:
    async with _client("hello") as (client, generator):
        response = await client.responses.create(**ASKED, parallel_tool_calls=False, tool_choice="none")
    assert [(tool.name, tool.strict) for tool in response.tools if tool.type == "function"] == [
        ("get_weather", True),
        ("get_time", False),
    ]
    assert response.parallel_tool_calls is False
    assert generator.requests[0].parallel_tool_calls is False
    assert generator.requests[0].offered_tools == ()


async def test_a_call_that_is_cut_is_incomplete_and_not_lost() -> None:
    async with _client(*[ScriptedReply(tool_calls=(CALL,))] * 2) as (client, _):
        response = await client.responses.create(**ASKED, max_output_tokens=2)
        events = await _stream(client, max_output_tokens=2)
    [call] = response.output
    assert call.type == "function_call"
    assert (call.status, call.arguments) == ("incomplete", '{"city":')
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert (response.model_extra or {})["warnings"] == ["The answer ended within the call of 'get_weather'."]
    assert _kinds(events)[-3:] == ["function_call_arguments.done", "output_item.done", "incomplete"]


async def test_a_call_that_is_not_what_it_should_be_is_told() -> None:
    malformed = ScriptedToolCall(name="get_weather", arguments=("Rome",))
    async with _client(ScriptedReply(tool_calls=(malformed,))) as (client, _):
        response = await client.responses.create(**ASKED)
    assert (response.status, response.incomplete_details) == ("incomplete", None)
    assert (response.model_extra or {})["warnings"] == [
        "The arguments of the call of 'get_weather' are not a JSON object."
    ]


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools.0"),
        ({"tools": [{"type": "file_search", "vector_store_ids": []}]}, "tools.0"),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, "tools.0"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools.0"),
        ({"tools": [{"type": "custom", "name": "x"}]}, "tools.0"),
        ({"tools": [{**WEATHER, "defer_loading": True}]}, "tools.0.defer_loading"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [{**WEATHER, "parameters": {"type": "string"}}]}, "tools"),
        ({"tools": [], "tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "unknown"}}, "tool_choice"),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "no"}]}},
            "tool_choice",
        ),
        ({"input": [{"type": "function_call_output", "call_id": "call_9", "output": "x"}]}, "input"),
        ({"input": [{"type": "function_call_output", "call_id": "call_9", "output": 5}]}, "input.0.output"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    server: LiveServer, values: dict[str, Any], parameter: str
) -> None:
    answer = await server.client.post("/v1/responses", json={**ASKED, **values})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == parameter


async def test_log_probabilities_are_told() -> None:
    async with _client() as (client, _):
        asked: Any = {"model": ECHO_MODEL, "input": "hello big world", "top_logprobs": 2}
        response: Any = await client.responses.create(**asked, include=["message.output_text.logprobs"])
        events = [event async for event in await client.responses.create(**asked, stream=True)]
    tokens = response.output[0].content[0].logprobs
    assert "".join(token.token for token in tokens) == "hello big world"
    assert all(0 < len(token.top_logprobs) <= 2 and token.logprob <= 0 for token in tokens)
    assert bytes(byte for token in tokens for byte in token.bytes) == b"hello big world"
    assert response.top_logprobs == 2
    streamed = [token for event in events if event.type == "response.output_text.delta" for token in event.logprobs]
    assert [(token.token, token.logprob) for token in streamed] == [(token.token, token.logprob) for token in tokens]


async def test_log_probabilities_are_not_told_unasked() -> None:
    async with _client() as (client, generator):
        response: Any = await client.responses.create(model=ECHO_MODEL, input="hello", top_logprobs=0)
        included: Any = await client.responses.create(
            model=ECHO_MODEL, input="hello", include=["message.output_text.logprobs"]
        )
    assert response.output[0].content[0].logprobs == []
    assert [token.top_logprobs for token in included.output[0].content[0].logprobs] == [[]]
    assert [request.logprobs for request in generator.requests] == [None, 0]
