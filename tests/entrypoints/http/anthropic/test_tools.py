"""Tools: calls, results, and the loops of Anthropic's own client."""

import json
from typing import Any

import anthropic
import pytest
from anthropic import beta_async_tool

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply, ScriptedToolCall
from cortex_domain.generation import GenerationRequest
from cortex_domain.messages import TextPart, ToolCallPart, ToolResultPart
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition
from tests.entrypoints.http.anthropic.clients import CHAT, MESSAGES, client_of, listening
from tests.entrypoints.http.live_server import FakeAdapters, live_server

WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ASKING: Any = {**CHAT, "tools": [WEATHER]}


async def test_a_call_is_a_block() -> None:
    reply = ScriptedReply(pieces=("Let me", " see."), tool_calls=(ScriptedToolCall.to("weather", city="São Paulo"),))
    async with live_server(adapters=FakeAdapters(script=[reply] * 2)) as server, client_of(server) as client:
        message = await client.messages.create(**ASKING)
        async with client.messages.stream(**ASKING) as stream:
            pieces = [event.partial_json async for event in stream if event.type == "input_json"]
            streamed = await stream.get_final_message()
    said, call = message.content
    assert said.type == "text"
    assert call.type == "tool_use"
    assert (said.text, call.name, call.input) == ("Let me see.", "weather", {"city": "São Paulo"})
    assert message.stop_reason == streamed.stop_reason == "tool_use"
    assert streamed.to_dict()["content"] == message.to_dict()["content"]
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == call.input


async def test_several_calls_are_several_blocks() -> None:
    calls = tuple(ScriptedToolCall.to("weather", city=city) for city in ("Rome", "Oslo"))
    script = [ScriptedReply(tool_calls=calls)] * 2
    async with live_server(adapters=FakeAdapters(script=script)) as server, client_of(server) as client:
        message = await client.messages.create(**ASKING)
        async with client.messages.stream(**ASKING) as stream:
            streamed = await stream.get_final_message()
    inputs = [block.input for block in message.content if block.type == "tool_use"]
    assert inputs == [{"city": "Rome"}, {"city": "Oslo"}]
    assert len({block.id for block in message.content if block.type == "tool_use"}) == 2
    assert streamed.to_dict()["content"] == message.to_dict()["content"]


async def test_a_call_that_was_cut_is_told_as_far_as_it_goes() -> None:
    call = ScriptedToolCall(name="weather", arguments=('{"city":', ' "Ro', 'me"}'))
    cut: Any = {**ASKING, "max_tokens": 3}
    script = [ScriptedReply(tool_calls=(call,))] * 2
    async with live_server(adapters=FakeAdapters(script=script)) as server, client_of(server) as client:
        message = await client.messages.create(**cut)
        events = [event async for event in await client.messages.create(**cut, stream=True)]
    [block] = message.content
    assert block.type == "tool_use"
    assert block.input == {"city": "Ro"}
    assert message.stop_reason == "max_tokens"
    assert message.model_extra is not None
    [detail] = message.model_extra["warnings"]
    [ending] = [event for event in events if event.type == "message_delta"]
    assert ending.delta.stop_reason == "max_tokens"
    assert ending.model_extra == {"warnings": [detail]}


async def test_a_call_that_is_no_json_does_not_break_the_answer() -> None:
    call = ScriptedToolCall(name="weather", arguments=("[1,", " 2]"))
    async with (
        live_server(adapters=FakeAdapters(script=[ScriptedReply(tool_calls=(call,))])) as server,
        client_of(server) as client,
    ):
        message = await client.messages.create(**ASKING)
    [block] = message.content
    assert block.type == "tool_use"
    assert block.input == {}
    assert message.stop_reason == "end_turn"
    assert message.model_extra is not None
    assert message.model_extra["warnings"]


def _choice(request: GenerationRequest) -> tuple[ToolChoiceMode, str | None, bool]:
    return request.tool_choice.mode, request.tool_choice.name, request.parallel_tool_calls


async def test_tools_and_their_choice_are_passed_on() -> None:
    generator, adapters = listening()
    choices: list[Any] = [
        {"type": "auto"},
        {"type": "auto", "disable_parallel_tool_use": True},
        {"type": "any"},
        {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        {"type": "none"},
    ]
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        for choice in choices:
            await client.messages.create(**ASKING, tool_choice=choice)
    assert [_choice(request) for request in generator.asked] == [
        (ToolChoiceMode.AUTO, None, True),
        (ToolChoiceMode.AUTO, None, False),
        (ToolChoiceMode.REQUIRED, None, True),
        (ToolChoiceMode.NAMED, "weather", False),
        (ToolChoiceMode.NONE, None, True),
    ]
    [tool] = generator.asked[0].tools
    expected = ToolDefinition(name="weather", description="Tells the weather.", parameters=WEATHER["input_schema"])
    assert (tool, dict(tool.parameters)) == (expected, WEATHER["input_schema"])
    assert generator.asked[0].tool_choice == ToolChoice()


async def test_calls_and_results_go_back_to_the_model() -> None:
    generator, adapters = listening()
    turns: Any = [
        *MESSAGES,
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Łódź"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}, "caller": {"type": "direct"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And now?"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun", "cache_control": {}},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "is_error": True,
                    "content": [{"type": "text", "text": "no"}, {"type": "text", "text": "city"}],
                },
            ],
        },
    ]
    async with live_server(adapters=adapters) as server, client_of(server) as client:
        await client.messages.create(**{**CHAT, "messages": turns})
    _, called, results, said = generator.asked[0].messages
    assert called.parts == (
        TextPart(text="I look."),
        ToolCallPart(id="toolu_1", name="weather", arguments='{"city":"Łódź"}'),
        ToolCallPart(id="toolu_2", name="weather", arguments="{}"),
    )
    assert results.role.value == "tool"
    assert results.parts == (
        ToolResultPart(call_id="toolu_1", text="sun"),
        ToolResultPart(call_id="toolu_2", text="no\ncity", is_error=True),
    )
    assert (said.role.value, said.text) == ("user", "And now?")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_result", "tool_use_id": "toolu_nobody_made", "content": "x"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
    ],
    ids=["result_without_call", "call_of_the_user"],
)
async def test_blocks_out_of_place_are_refused(client: anthropic.AsyncAnthropic, block: Any) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        await client.messages.create(**{**ASKING, "messages": [{"role": "user", "content": [block]}]})
    assert refused.value.type == "invalid_request_error"


async def test_pictures_in_results_are_refused_by_their_place(client: anthropic.AsyncAnthropic) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]}
    turns: Any = [{"role": "user", "content": [result]}]
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content\.0\.content\.0\.type"):
        await client.messages.create(**{**ASKING, "messages": turns})


async def test_examples_of_inputs_have_no_effect(client: anthropic.AsyncAnthropic) -> None:
    tool: Any = {**WEATHER, "input_examples": [{"city": "Rome"}]}
    message = await client.messages.create(**{**CHAT, "tools": [tool]}, tool_choice={"type": "none"})
    assert message.model_extra == {"warnings": ["tools.input_examples has no effect on this server."]}


async def test_a_loop_of_the_clients_own() -> None:
    """The client calls the function that it was given, and sends the result back as its own objects."""
    cities: list[str] = []

    @beta_async_tool
    async def weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: Where.
        """
        cities.append(city)
        return f"Sunny in {city}."

    calls = tuple(ScriptedToolCall.to("weather", city=city) for city in ("Rome", "Oslo"))
    script: list[ScriptedReply | str] = [ScriptedReply(pieces=("I look.",), tool_calls=calls), "Sunny everywhere."] * 2
    asked: Any = {"model": ECHO_MODEL, "max_tokens": 100, "messages": MESSAGES}
    async with live_server(adapters=FakeAdapters(script=script)) as server, client_of(server) as client:
        final = await client.beta.messages.tool_runner(**asked, tools=[weather]).until_done()
        assert final.content[0].type == "text"
        assert final.content[0].text == "Sunny everywhere."
        runner = client.beta.messages.tool_runner(**asked, tools=[weather], stream=True)
        texts = [(await stream.get_final_message()).stop_reason async for stream in runner]
    assert cities == ["Rome", "Oslo"] * 2
    assert texts == ["tool_use", "end_turn"]


async def test_tools_count_in_a_prompt(client: anthropic.AsyncAnthropic) -> None:
    counted = await client.messages.count_tokens(model=ECHO_MODEL, messages=MESSAGES, tools=[WEATHER])  # type: ignore[list-item]
    assert counted.input_tokens == (await client.messages.create(**ASKING)).usage.input_tokens
