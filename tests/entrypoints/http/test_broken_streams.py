"""An answer that fails in the middle is an exception of whichever client reads it, after what came before."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pydantic_ai.exceptions
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply
from cortex_domain.errors import GeneratorFailedError
from tests.entrypoints.http.live_server import FakeAdapters, live_server

SAID = "so far"
MESSAGES: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server whose every answer says half a sentence and fails."""
    reply = ScriptedReply(pieces=("so", " far"), failure=GeneratorFailedError("The engine failed."))
    async with live_server(adapters=FakeAdapters(script=[reply])) as server:
        yield server.url


def _openai_options(url: str) -> Any:
    return {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0}


def _chat(url: str, said: list[str]) -> None:
    with openai.OpenAI(**_openai_options(url)) as client:
        for chunk in client.chat.completions.create(model=ECHO_MODEL, messages=MESSAGES, stream=True):
            said += [choice.delta.content or "" for choice in chunk.choices]


async def _chat_async(url: str, said: list[str]) -> None:
    async with openai.AsyncOpenAI(**_openai_options(url)) as client:
        async for chunk in await client.chat.completions.create(model=ECHO_MODEL, messages=MESSAGES, stream=True):
            said += [choice.delta.content or "" for choice in chunk.choices]


async def _chat_helper(url: str, said: list[str]) -> None:
    async with (
        openai.AsyncOpenAI(**_openai_options(url)) as client,
        client.chat.completions.stream(model=ECHO_MODEL, messages=MESSAGES) as stream,
    ):
        async for event in stream:
            if event.type == "content.delta":
                said += [event.delta]


def _completion(url: str, said: list[str]) -> None:
    with openai.OpenAI(**_openai_options(url)) as client:
        for chunk in client.completions.create(model=ECHO_MODEL, prompt="hello", stream=True):
            said += [choice.text for choice in chunk.choices]


async def _completion_async(url: str, said: list[str]) -> None:
    async with openai.AsyncOpenAI(**_openai_options(url)) as client:
        async for chunk in await client.completions.create(model=ECHO_MODEL, prompt="hello", stream=True):
            said += [choice.text for choice in chunk.choices]


def _response(url: str, said: list[str]) -> None:
    with openai.OpenAI(**_openai_options(url)) as client:
        for event in client.responses.create(model=ECHO_MODEL, input="hello", stream=True):
            if event.type == "response.output_text.delta":
                said += [event.delta]


async def _response_async(url: str, said: list[str]) -> None:
    async with openai.AsyncOpenAI(**_openai_options(url)) as client:
        async for event in await client.responses.create(model=ECHO_MODEL, input="hello", stream=True):
            if event.type == "response.output_text.delta":
                said += [event.delta]


def _message(url: str, said: list[str]) -> None:
    with (
        anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as client,
        client.messages.stream(model=ECHO_MODEL, max_tokens=99, messages=MESSAGES) as stream,
    ):
        said.extend(stream.text_stream)


async def _message_async(url: str, said: list[str]) -> None:
    async with (
        anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as client,
        client.messages.stream(model=ECHO_MODEL, max_tokens=99, messages=MESSAGES) as stream,
    ):
        async for text in stream.text_stream:
            said += [text]


def _chain(url: str, said: list[str]) -> None:
    for chunk in _langchain(url).stream("hello"):
        said += [str(chunk.content)]


async def _chain_async(url: str, said: list[str]) -> None:
    async for chunk in _langchain(url).astream("hello"):
        said += [str(chunk.content)]


def _langchain(url: str) -> ChatOpenAI:
    return ChatOpenAI(model=ECHO_MODEL, base_url=f"{url}/v1", api_key=SecretStr("none"), max_retries=0)


async def _agent(url: str, said: list[str]) -> None:
    await _run_agent(Agent(OpenAIChatModel(ECHO_MODEL, provider=_provider(url))), said)


async def _response_agent(url: str, said: list[str]) -> None:
    await _run_agent(Agent(OpenAIResponsesModel(ECHO_MODEL, provider=_provider(url))), said)


def _provider(url: str) -> OpenAIProvider:
    return OpenAIProvider(openai_client=openai.AsyncOpenAI(**_openai_options(url)))


async def _run_agent(agent: Agent, said: list[str]) -> None:
    async with agent.run_stream("hello") as run:
        async for text in run.stream_text(delta=True, debounce_by=None):
            said += [text]


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (_chat, openai.APIError),
        (_chat_async, openai.APIError),
        (_chat_helper, openai.APIError),
        (_completion, openai.APIError),
        (_completion_async, openai.APIError),
        (_response, openai.APIError),
        (_response_async, openai.APIError),
        (_message, anthropic.APIStatusError),
        (_message_async, anthropic.APIStatusError),
        (_chain, openai.APIError),
        (_chain_async, openai.APIError),
        (_agent, pydantic_ai.exceptions.ModelAPIError),
        (_response_agent, pydantic_ai.exceptions.ModelAPIError),
    ],
)
async def test_a_client_raises_its_own_exception(url: str, read: Any, error: type[Exception]) -> None:
    said: list[str] = []  # grows one text at a time, so that what came before the failure stays
    with pytest.raises(error, match="The engine failed"):
        if inspect.iscoroutinefunction(read):
            await read(url, said)
        else:
            await asyncio.to_thread(read, url, said)
    assert "".join(said) == SAID
