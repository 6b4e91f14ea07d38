"""Structured output by OpenAI's own client: `parse` and streams of pydantic models."""

from collections.abc import AsyncIterator
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

from cortex_adapters.fake import ECHO_MODEL, HONOURED, FakeModelLoader, FakeTextGenerator
from cortex_adapters.system.clock import SystemClock
from cortex_domain.language_models import Capability
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

CHAT: Any = {"model": ECHO_MODEL, "messages": [{"role": "user", "content": "What is the weather?"}]}


class Wind(BaseModel):
    direction: Literal["north", "south"]
    speed: int


class Weather(BaseModel):
    city: str
    is_sunny: bool
    wind: Wind
    warnings: list[str]
    note: str | None


WEATHER = Weather(city="a", is_sunny=True, wind=Wind(direction="north", speed=0), warnings=[], note=None)
"""The fake's example."""


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


async def test_an_answer_is_parsed(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.parse(**CHAT, response_format=Weather)
    assert completion.choices[0].message.parsed == WEATHER


async def test_a_stream_is_parsed(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(**CHAT, response_format=Weather) as stream:
        kinds = [event.type async for event in stream]
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.parsed == WEATHER
    assert kinds.count("content.done") == 1


async def test_an_answer_that_was_cut_is_the_clients_own_exception(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        await client.chat.completions.parse(
            **{**CHAT, "messages": [{"role": "user", "content": "?"}]}, response_format=Weather, max_tokens=1
        )


async def test_any_object_will_do(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(**CHAT, response_format={"type": "json_object"})
    assert completion.choices[0].message.content == "{}"


@pytest.mark.parametrize(
    ("response_format", "parameter"),
    [
        ({"type": "xml"}, "response_format"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "no spaces", "schema": {}}},
            "response_format.json_schema.name",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"not": {}}}},
            "response_format.json_schema.schema",
        ),
    ],
)
async def test_what_cannot_be_followed_is_refused_by_name(
    client: openai.AsyncOpenAI, response_format: Any, parameter: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(**CHAT, response_format=response_format)
    assert refused.value.param == parameter


async def test_a_model_that_cannot_be_held_to_anything_says_so() -> None:
    loader, clock = FakeModelLoader(), SystemClock()
    capabilities = HONOURED - {Capability.JSON_SCHEMA_OUTPUT}
    generator = FakeTextGenerator(loader=loader, clock=clock, capabilities=capabilities)
    adapters = FakeAdapters(loader=loader, clock=clock, generator=generator)
    async with (
        live_server(adapters=adapters) as server,
        openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(**CHAT, response_format={"type": "json_object"})
    assert (refused.value.code, refused.value.param) == ("unsupported_capability", "response_format.json_schema")
