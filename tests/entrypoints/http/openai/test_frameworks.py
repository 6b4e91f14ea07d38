"""Frameworks that speak OpenAI's dialect call tools through a live server: one turn asks, the next one answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pydantic_ai
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply, ScriptedToolCall
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

QUESTION = "How is the weather in Paris and in Rome?"


def script() -> list[ScriptedReply | str]:
    calls = ScriptedToolCall.to("get_weather", city="Paris"), ScriptedToolCall.to("get_weather", city="Rome")
    return [ScriptedReply(tool_calls=calls), "It is sunny in Paris and in Rome."]


@tool
def get_weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"sunny in {city}"


@asynccontextmanager
async def langchain_model(server: LiveServer) -> AsyncIterator[ChatOpenAI]:
    model = ChatOpenAI(model=ECHO_MODEL, base_url=f"{server.url}/v1", api_key=SecretStr("none"), max_retries=0)
    yield model
    await model.root_async_client.close()
    model.root_client.close()


async def test_langchain_calls_tools() -> None:
    async with live_server(adapters=FakeAdapters(script=script())) as server, langchain_model(server) as plain:
        model = plain.bind_tools([get_weather])
        turn = await model.ainvoke([HumanMessage(QUESTION)])
        assert isinstance(turn, AIMessage)
        assert turn.invalid_tool_calls == []
        results = [await get_weather.ainvoke(call) for call in turn.tool_calls]
        assert [result.content for result in results] == ["sunny in Paris", "sunny in Rome"]
        answer = await model.ainvoke([HumanMessage(QUESTION), turn, *results])
    assert answer.text == "It is sunny in Paris and in Rome."
    assert isinstance(answer, AIMessage)
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] > 0


async def test_langchain_streams_tool_calls() -> None:
    async with live_server(adapters=FakeAdapters(script=script())) as server, langchain_model(server) as plain:
        model = plain.bind_tools([get_weather])
        pieces = [piece async for piece in model.astream([HumanMessage(QUESTION)])]
    turn: Any = pieces[0]
    for piece in pieces[1:]:
        turn += piece
    assert isinstance(turn, AIMessage)
    assert [call["args"] for call in turn.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert len({call["id"] for call in turn.tool_calls}) == 2
    assert turn.response_metadata["finish_reason"] == "tool_calls"


async def test_langchain_has_a_tool_called(server: LiveServer) -> None:
    async with langchain_model(server) as model:
        turn = await model.bind_tools([get_weather], tool_choice="get_weather").ainvoke([HumanMessage(QUESTION)])
        assert isinstance(turn, AIMessage)
        [call] = turn.tool_calls
        assert call["name"] == "get_weather"
        result = ToolMessage("sunny", tool_call_id=call["id"])
        assert (await model.ainvoke([HumanMessage(QUESTION), turn, result])).text == "sunny"


@asynccontextmanager
async def agent_of(script: list[ScriptedReply | str], asked: list[str]) -> AsyncIterator[pydantic_ai.Agent[None, str]]:
    async with (
        live_server(adapters=FakeAdapters(script=script)) as server,
        openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
    ):
        agent = pydantic_ai.Agent(OpenAIChatModel(ECHO_MODEL, provider=OpenAIProvider(openai_client=client)))

        @agent.tool_plain(name="get_weather")
        def tell_weather(city: str) -> str:
            """Tells the weather in a city."""
            asked.append(city)
            return f"sunny in {city}"

        yield agent


async def test_pydantic_ai_calls_tools() -> None:
    asked: list[str] = []
    async with agent_of(script(), asked) as agent:
        result = await agent.run(QUESTION)
    assert sorted(asked) == ["Paris", "Rome"]
    assert result.output == "It is sunny in Paris and in Rome."


async def test_pydantic_ai_streams_after_tools() -> None:
    asked: list[str] = []
    async with agent_of(script(), asked) as agent, agent.run_stream(QUESTION) as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True)]
    assert sorted(asked) == ["Paris", "Rome"]
    assert "".join(pieces) == "It is sunny in Paris and in Rome."


async def test_pydantic_ai_has_wrong_arguments_corrected() -> None:
    asked: list[str] = []
    wrong, right = ScriptedToolCall.to("get_weather", town="Paris"), ScriptedToolCall.to("get_weather", city="Paris")
    replies: list[ScriptedReply | str] = [
        ScriptedReply(tool_calls=(wrong,)),
        ScriptedReply(tool_calls=(right,)),
        "Done.",
    ]
    async with agent_of(replies, asked) as agent:
        result = await agent.run(QUESTION)
    assert (asked, result.output) == (["Paris"], "Done.")
