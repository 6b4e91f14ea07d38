"""The completions endpoint of the OpenAI dialect, by OpenAI's own client."""

import asyncio
import re
import typing
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Completion
from openai.types.completion_create_params import CompletionCreateParamsNonStreaming

from cortex_adapters.fake import ECHO_MODEL, FakeModelLoader, FakeTextGenerator, ScriptedReply
from cortex_adapters.system.clock import SystemClock
from cortex_domain.errors import GeneratorFailedError
from cortex_entrypoints.http.openai.completion_body import CompletionBody
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

TEXT: Any = {"model": ECHO_MODEL, "prompt": "once upon a time"}
PAGE = Path(__file__).parents[4] / "docs" / "openai.md"
EXTENSIONS = {"top_k", "min_p", "repetition_penalty", "stream"}


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with _client_of(server) as opened:
        yield opened


def _client_of(server: LiveServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
    )


def _lenient_client_of(server: LiveServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


async def _streamed(server: LiveServer, body: dict[str, Any]) -> list[Completion]:
    """Reads a stream; by the client's own types a piece has a finish_reason, which OpenAI's streams leave null."""
    async with _lenient_client_of(server) as lenient:
        return [chunk async for chunk in await lenient.completions.create(**body, stream=True)]


def _text(chunks: list[Completion], index: int = 0) -> str:
    return "".join(choice.text for chunk in chunks for choice in chunk.choices if choice.index == index)


async def test_a_text_is_continued(client: openai.AsyncOpenAI) -> None:
    completion = await client.completions.create(**TEXT)
    assert (completion.object, completion.model) == ("text_completion", ECHO_MODEL)
    [choice] = completion.choices
    assert (choice.text, choice.finish_reason, choice.logprobs) == ("once upon a time", "stop", None)
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (4, 5)


async def test_what_leaves_its_length_open_gets_as_much_as_openai_gives(client: openai.AsyncOpenAI) -> None:
    completion = await client.completions.create(model=ECHO_MODEL, prompt="on " * 40)
    assert completion.choices[0].text.split() == ["on"] * 16
    assert completion.choices[0].finish_reason == "length"


async def test_tokens_are_continued_too() -> None:
    loader, clock = FakeModelLoader(), SystemClock()
    generator = FakeTextGenerator(loader=loader, clock=clock)
    tokens = generator.encode("once upon a time")
    adapters = FakeAdapters(loader=loader, clock=clock, generator=generator)
    async with live_server(adapters=adapters) as server, _client_of(server) as client:
        one = await client.completions.create(model=ECHO_MODEL, prompt=tokens)
        two = await client.completions.create(model=ECHO_MODEL, prompt=[tokens, tokens[:2]])
        with pytest.raises(openai.BadRequestError) as refused:
            await client.completions.create(model=ECHO_MODEL, prompt=[10**6])
    assert one.choices[0].text == "once upon a time"
    assert [choice.text for choice in two.choices] == ["once upon a time", "once upon"]
    assert refused.value.param == "prompt"


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}], ids=["plain", "usage"])
async def test_a_stream_adds_up_to_the_completion(server: LiveServer, options: dict[str, Any]) -> None:
    chunks = await _streamed(server, {**TEXT, **options})
    told = [chunk for chunk in chunks if chunk.choices]
    assert _text(chunks) == "once upon a time"
    assert {(chunk.id, chunk.object) for chunk in chunks} == {(chunks[0].id, "text_completion")}
    reasons: list[Any] = [chunk.choices[0].finish_reason for chunk in told]
    assert reasons == [*[None] * (len(told) - 1), "stop"]
    usages = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
    assert usages == ([5] if options else [])
    assert len(chunks) - len(told) == len(usages)


async def test_several_prompts_have_choices_in_order(client: openai.AsyncOpenAI, server: LiveServer) -> None:
    body: Any = {"model": ECHO_MODEL, "prompt": ["one two", "three", "four five six"], "n": 2}
    expected = [text for text in body["prompt"] for _ in range(2)]
    completion = await client.completions.create(**body)
    assert [choice.index for choice in completion.choices] == list(range(6))
    assert [choice.text for choice in completion.choices] == expected
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (6, 2 * (3 + 2 + 4))
    chunks = await _streamed(server, body)
    assert [_text(chunks, index) for index in range(6)] == expected
    ended = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason == "stop"]
    assert sorted(ended) == list(range(6))


async def test_prompts_of_which_one_is_refused_leave_nothing_behind() -> None:
    loader, clock = FakeModelLoader(), SystemClock()
    generator = FakeTextGenerator(loader=loader, clock=clock)
    adapters = FakeAdapters(loader=loader, clock=clock, generator=generator)
    async with live_server(adapters=adapters) as server, _client_of(server) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.completions.create(model=ECHO_MODEL, prompt=["short", "long " * 5000])
        assert refused.value.code == "context_length_exceeded"
        assert generator.active_requests == 0


async def test_a_client_that_leaves_ends_all_its_prompts() -> None:
    loader, clock = FakeModelLoader(), SystemClock()
    slow = [ScriptedReply(pieces=("a",) * 1000, delay_s=0.05)] * 2
    generator = FakeTextGenerator(loader=loader, clock=clock, script=slow)
    adapters = FakeAdapters(loader=loader, clock=clock, generator=generator)
    async with live_server(adapters=adapters) as server, _client_of(server) as client:
        body: Any = {"model": ECHO_MODEL, "prompt": ["x", "y"], "max_tokens": 1000}
        stream = await client.completions.create(**body, stream=True)
        await stream.close()
        async with asyncio.timeout(10):
            while generator.active_requests:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("prompt", ["x", ["x", "y"]], ids=["one", "two"])
async def test_an_error_in_the_middle_reaches_the_client(prompt: Any) -> None:
    failing = ScriptedReply(pieces=("so", " far"), failure=GeneratorFailedError("The engine failed."))
    async with live_server(adapters=FakeAdapters(script=[failing, "fine and long"])) as server:
        with pytest.raises(openai.APIError, match="The engine failed"):
            await _streamed(server, {"model": ECHO_MODEL, "prompt": prompt})


async def test_echo_gives_the_prompt_back_first(client: openai.AsyncOpenAI, server: LiveServer) -> None:
    body: Any = {"model": ECHO_MODEL, "prompt": ["ab ", "cd "], "echo": True}
    completion = await client.completions.create(**body)
    assert [choice.text for choice in completion.choices] == ["ab ab ", "cd cd "]
    chunks = await _streamed(server, body)
    assert [_text(chunks, index) for index in range(2)] == ["ab ab ", "cd cd "]


async def test_the_tokens_of_an_echoed_prompt_are_told(server: LiveServer) -> None:
    """The first one has null for a figure, in OpenAI's answers too; the client's own types do not know that."""
    body: Any = {"model": ECHO_MODEL, "prompt": "ab cd", "echo": True, "logprobs": 1, "max_tokens": 1}
    async with _lenient_client_of(server) as client:
        [choice] = (await client.completions.create(**body)).choices
    assert choice.text == "ab cdab"
    assert choice.logprobs is not None
    assert choice.logprobs.model_dump() == {
        "tokens": ["ab", " cd", "ab"],
        "token_logprobs": [None, 0.0, 0.0],
        "top_logprobs": [None, {" cd": 0.0}, {"ab": 0.0}],
        "text_offset": [0, 2, 5],
    }
    chunks = await _streamed(server, body)
    told = [piece.choices[0].logprobs for piece in chunks if piece.choices and piece.choices[0].logprobs]
    assert [figure for piece in told for figure in piece.token_logprobs or ()] == [None, 0.0, 0.0]


async def test_tokens_are_told_in_parallel_lists(client: openai.AsyncOpenAI, server: LiveServer) -> None:
    completion = await client.completions.create(**TEXT, logprobs=2)
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens == ["once", " upon", " a", " time"]
    assert logprobs.token_logprobs == [0.0] * 4
    assert logprobs.text_offset == [0, 4, 9, 11]
    assert logprobs.top_logprobs is not None
    assert logprobs.top_logprobs[-1] == {" time": 0.0, "once": -50.0}
    chunks = await _streamed(server, {**TEXT, "logprobs": 2})
    told = [choice.logprobs for chunk in chunks for choice in chunk.choices if choice.logprobs]
    assert [token for piece in told for token in piece.tokens or ()] == logprobs.tokens
    assert [offset for piece in told for offset in piece.text_offset or ()] == logprobs.text_offset


async def test_with_logprobs_0_the_drawn_token_is_told(client: openai.AsyncOpenAI) -> None:
    completion = await client.completions.create(**TEXT, logprobs=0)
    assert completion.choices[0].logprobs is not None
    assert completion.choices[0].logprobs.top_logprobs is not None
    assert completion.choices[0].logprobs.top_logprobs[0] == {"once": 0.0}


async def test_the_best_of_several_is_returned() -> None:
    script = [ScriptedReply.saying("one"), ScriptedReply(), ScriptedReply.saying("two")]
    async with live_server(adapters=FakeAdapters(script=script)) as server, _client_of(server) as client:
        completion = await client.completions.create(**TEXT, best_of=3, n=2)
    assert [(choice.index, choice.text) for choice in completion.choices] == [(0, "one"), (1, "two")]
    assert completion.choices[0].logprobs is None
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 2 + 1 + 2


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("suffix", {"suffix": "the end"}),
    ("best_of", {"best_of": 1, "n": 2}),
    ("best_of", {"best_of": 2, "stream": True}),
    ("best_of", {"best_of": 17}),
    ("logprobs", {"logprobs": 21}),
    ("max_tokens", {"max_tokens": 0}),
    ("n", {"n": 0}),
    ("prompt", {"prompt": ""}),
    ("prompt", {"prompt": []}),
    ("prompt", {"prompt": [[]]}),
    ("prompt", {"prompt": ["a", 1]}),
    ("prompt", {"prompt": None}),
    ("prompt", {"prompt": ["a"] * 129}),
    ("temperature", {"temperature": 3}),
    ("unheard_of", {"unheard_of": 1}),
]


@pytest.mark.parametrize(("parameter", "fields"), REFUSED)
async def test_what_cannot_be_honoured_is_refused_by_name(
    server: LiveServer, parameter: str, fields: dict[str, Any]
) -> None:
    answer = await server.client.post("/v1/completions", json={**TEXT, **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"].split(".")[0] == parameter


def test_every_documented_parameter_is_known() -> None:
    documented = set(typing.get_type_hints(CompletionCreateParamsNonStreaming)) | EXTENSIONS
    assert set(CompletionBody.model_fields) == documented


def test_every_parameter_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8").partition("## Completions")[2]))
    assert set(CompletionBody.model_fields) <= named


async def test_what_is_without_effect_is_listed(client: openai.AsyncOpenAI, server: LiveServer) -> None:
    completion = await client.completions.create(**TEXT, stream_options={"include_usage": True})
    assert completion.model_extra == {"warnings": ["stream_options has no effect without stream."]}
    warned = ScriptedReply(pieces=("a",), warnings=("Mind.",))
    async with live_server(adapters=FakeAdapters(script=[warned, warned])) as other:
        chunks = await _streamed(other, TEXT)
        echoed = await _streamed(other, {**TEXT, "echo": True})
    assert [chunk.model_extra for chunk in (chunks[0], echoed[0])] == [{"warnings": ["Mind."]}] * 2
    assert (_text(chunks), _text(echoed)) == ("a", "once upon a timea")


async def test_the_sampling_arrives(client: openai.AsyncOpenAI) -> None:
    full: Any = {
        **TEXT,
        "temperature": 0,
        "top_p": 0,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "seed": -5,
        "stop": [" a"],
        "user": "ada",
        "extra_body": {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1},
    }
    assert (await client.completions.create(**full)).choices[0].text == "once upon"
