"""Frameworks call tools through the Responses API of a live server, by items and by the response before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pydantic_ai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply, ScriptedToolCall
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

QUESTION = "How is the weather in Rome?"


def _script() -> list[ScriptedReply | str]:
    call = ScriptedToolCall.to("get_weather", city="Rome")
    return [ScriptedReply(reasoning=("where?",), pieces=("Let me see.",), tool_calls=(call,)), "It is sunny in Rome."]


@tool
def get_weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"sunny in {city}"


@asynccontextmanager
async def _langchain_model(server: LiveServer, **options: Any) -> AsyncIterator[ChatOpenAI]:
    model = ChatOpenAI(
        model=ECHO_MODEL,
        base_url=f"{server.url}/v1",
        api_key=SecretStr("none"),
        max_retries=0,
        use_responses_api=True,
        **options,
    )
    yield model
    await model.root_async_client.close()
    model.root_client.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_previous_response_id": True},
        {"output_version": "responses/v1"},
        {"reasoning": {"effort": "low", "summary": "auto"}},
        {"store": False, "include": ["reasoning.encrypted_content"]},
    ],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_langchain_calls_tools(options: dict[str, Any], *, streams: bool) -> None:
    async with (
        live_server(adapters=FakeAdapters(script=_script())) as server,
        _langchain_model(server, streaming=streams, **options) as plain,
    ):
        model = plain.bind_tools([get_weather])
        turn = await model.ainvoke([HumanMessage(QUESTION)])
        assert isinstance(turn, AIMessage)
        results = [await get_weather.ainvoke(call) for call in turn.tool_calls]
        assert [result.content for result in results] == ["sunny in Rome"]
        answer = await model.ainvoke([HumanMessage(QUESTION), turn, *results])
    assert answer.text == "It is sunny in Rome."


class Place(BaseModel):
    name: str
    inhabitants: int


async def test_langchain_fills_a_class(server: LiveServer) -> None:
    async with _langchain_model(server) as model:
        for method in ("json_schema", "function_calling"):
            filled = await model.with_structured_output(Place, method=method).ainvoke(QUESTION)
            assert isinstance(filled, Place)


@asynccontextmanager
async def _pydantic_ai_model(server: LiveServer) -> AsyncIterator[OpenAIResponsesModel]:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield OpenAIResponsesModel(ECHO_MODEL, provider=OpenAIProvider(openai_client=client))


@pytest.mark.parametrize(
    "settings",
    [
        OpenAIResponsesModelSettings(),
        OpenAIResponsesModelSettings(openai_previous_response_id="auto"),
        OpenAIResponsesModelSettings(openai_reasoning_effort="low", openai_reasoning_summary="detailed"),
    ],
)
async def test_pydantic_ai_calls_tools(settings: OpenAIResponsesModelSettings) -> None:
    asked: list[str] = []
    async with live_server(adapters=FakeAdapters(script=_script())) as server, _pydantic_ai_model(server) as model:
        agent = pydantic_ai.Agent(model, model_settings=settings)

        @agent.tool_plain(name="get_weather")
        def tell_weather(city: str) -> str:
            """Tells the weather in a city."""
            asked.append(city)
            return f"sunny in {city}"

        result = await agent.run(QUESTION)
    assert (asked, result.output) == (["Rome"], "It is sunny in Rome.")


async def test_pydantic_ai_fills_a_class(server: LiveServer) -> None:
    async with _pydantic_ai_model(server) as model:
        for output in (pydantic_ai.NativeOutput(Place), pydantic_ai.ToolOutput(Place)):
            agent: pydantic_ai.Agent[None, Any] = pydantic_ai.Agent(model, output_type=output)
            assert isinstance((await agent.run(QUESTION)).output, Place)


async def test_pydantic_ai_streams(server: LiveServer) -> None:
    async with _pydantic_ai_model(server) as model, pydantic_ai.Agent(model).run_stream(QUESTION) as stream:
        assert "".join([piece async for piece in stream.stream_text(delta=True)]) == QUESTION
