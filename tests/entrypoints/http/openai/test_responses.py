"""The Responses API, by OpenAI's own client."""

import asyncio
import re
import typing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import BaseModel, TypeAdapter

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply
from cortex_adapters.in_memory import InMemoryResponseStore
from cortex_domain.errors import GeneratorFailedError, StorageError
from cortex_domain.stored_responses import StoredResponse
from cortex_entrypoints.http.openai.responses.body import ResponseBody
from cortex_entrypoints.http.openai.sampling_body import SamplingBody
from tests.entrypoints.http.listening_generator import ListeningGenerator
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

ASKED: Any = {"model": ECHO_MODEL, "input": "hello big world"}
PAGE = Path(__file__).parents[4] / "docs" / "openai.md"
EVENTS: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


OPEN_RESPONSES = {
    "background",
    "completed_at",
    "created_at",
    "error",
    "frequency_penalty",
    "id",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "object",
    "output",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "status",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "usage",
    "user",
}
"""What a response must have by the specification of openresponses.org, beyond what OpenAI's client insists on."""


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with _client_of(server) as opened:
        yield opened


def _client_of(server: LiveServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
    )


async def _stream(client: openai.AsyncOpenAI, **asked: Any) -> list[Any]:
    return [event async for event in await client.responses.create(**{**ASKED, **asked}, stream=True)]


async def test_a_response_is_given(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(**ASKED)
    assert (response.object, response.status, response.model) == ("response", "completed", ECHO_MODEL)
    assert response.output_text == "hello big world"
    [message] = response.output
    assert (message.type, message.role, message.status) == ("message", "assistant", "completed")
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.completed_at is not None
    assert response.completed_at >= response.created_at
    assert response.error is None
    assert response.model_extra == {"presence_penalty": 0, "frequency_penalty": 0, "store": True}


async def test_a_stream_adds_up_to_the_response(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(**ASKED) as stream:
        kinds = [event.type async for event in stream]
        response = await stream.get_final_response()
    assert response.output_text == "hello big world"
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


async def test_every_event_has_its_number_and_the_same_response(client: openai.AsyncOpenAI) -> None:
    events = await _stream(client)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    whole = [event.response for event in events if hasattr(event, "response")]
    assert {response.id for response in whole} == {whole[-1].id}
    assert [response.status for response in whole] == ["in_progress", "in_progress", "completed"]
    assert whole[0].output == []
    assert whole[0].usage is None
    assert {event.item_id for event in events if hasattr(event, "item_id")} == {whole[-1].output[0].id}


async def test_a_stream_and_an_answer_in_one_piece_are_alike(client: openai.AsyncOpenAI) -> None:
    streamed = (await _stream(client))[-1].response
    at_once = await client.responses.create(**ASKED)
    own = {"id", "created_at", "completed_at", "output"}
    assert streamed.model_dump(exclude=own) == at_once.model_dump(exclude=own)
    assert [item.model_dump(exclude={"id"}) for item in streamed.output] == [
        item.model_dump(exclude={"id"}) for item in at_once.output
    ]


async def test_every_frame_names_its_event(server: LiveServer) -> None:
    answer = await server.client.post("/v1/responses", json={**ASKED, "stream": True})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    for frame in re.split("\n\n", answer.text.strip()):
        if not frame.startswith(":"):
            name, data = re.fullmatch(r"event: (\S+)\ndata: (.*)", frame).groups()  # type: ignore[union-attr]
            assert EVENTS.validate_json(data).type == name
    assert "[DONE]" not in answer.text


async def test_what_was_asked_is_repeated(client: openai.AsyncOpenAI) -> None:
    asked: Any = {
        "instructions": "Be brief.",
        "max_output_tokens": 20,
        "metadata": {"for": "a test"},
        "temperature": 0.5,
        "top_p": 0.25,
        "user": "somebody",
        "parallel_tool_calls": False,
    }
    response = await client.responses.create(**ASKED, **asked)
    assert {name: getattr(response, name) for name in asked} == asked


async def test_a_response_has_what_open_responses_wants(server: LiveServer) -> None:
    tool = {"type": "function", "name": "f"}
    answer = await server.client.post("/v1/responses", json={**ASKED, "tools": [tool]})
    assert answer.json().keys() >= OPEN_RESPONSES
    assert answer.json()["tools"] == [{**tool, "description": None, "parameters": None, "strict": True}]
    assert answer.json()["reasoning"] == {"effort": None, "summary": None}


async def test_max_output_tokens_cut_the_answer(client: openai.AsyncOpenAI) -> None:
    cut = await client.responses.create(**ASKED, max_output_tokens=2)
    assert (cut.status, cut.output_text) == ("incomplete", "hello big")
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"
    assert cut.completed_at is None
    assert cut.output[0].status == "incomplete"
    *_, last = await _stream(client, max_output_tokens=2)
    assert last.type == "response.incomplete"
    assert last.response.output == [cut.output[0].model_copy(update={"id": last.response.output[0].id})]


async def test_an_answer_that_says_nothing_is_an_empty_message() -> None:
    script = [ScriptedReply(), ScriptedReply()]
    async with live_server(adapters=FakeAdapters(script=script)) as server, _client_of(server) as client:
        response = await client.responses.create(**ASKED)
        assert (response.status, response.output_text) == ("completed", "")
        assert [item.type for item in response.output] == ["message"]
        kinds = [event.type for event in await _stream(client)]
        assert "response.output_text.delta" not in kinds
        assert kinds.count("response.output_item.done") == 1


async def test_items_say_what_messages_say(client: openai.AsyncOpenAI) -> None:
    items: Any = [
        {"role": "developer", "content": "be brief"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say"}]},
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "what?"}, {"type": "refusal", "refusal": "!"}],
        },
        {"role": "user", "content": [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": " two"}]},
    ]
    response = await client.responses.create(model=ECHO_MODEL, input=items)
    assert response.output_text == "one two"


async def test_items_reach_the_model_as_messages() -> None:
    items: Any = [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": "hello"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "a guest"}]},
        {"role": "assistant", "content": "welcome"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "xyz"},
        {"type": "reasoning", "id": "rs_3", "summary": [{"type": "summary_text", "text": "nothing came of it"}]},
        {"role": "user", "content": "thanks"},
    ]
    async with _listening_server() as (server, generator), _client_of(server) as client:
        await client.responses.create(model=ECHO_MODEL, input=items, instructions="Be brief.")
    assert [(message.role, message.reasoning, message.text) for message in generator.requests[0].messages] == [
        ("system", "", "Be brief."),
        ("system", "", "be kind"),
        ("user", "", "hello"),
        ("assistant", "a guest", "welcome"),
        ("user", "", "thanks"),
    ]


async def test_thoughts_are_an_item_of_their_own(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(**ASKED, reasoning={"effort": "high"})
    thoughts, message = response.output
    assert thoughts.type == "reasoning"
    assert thoughts.content is not None
    assert [part.text for part in thoughts.content] == ["hello big world"]
    assert message.type == "message"
    assert response.output_text == "hello big world"
    assert response.reasoning is not None
    assert response.reasoning.effort == "high"
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens == 3


async def test_thoughts_are_streamed_before_the_message(client: openai.AsyncOpenAI) -> None:
    events = await _stream(client, reasoning={"effort": "low"})
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["reasoning_text.delta"] * 3,
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 3,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.output_index for event in events if event.type.startswith("response.output_item")] == [0, 0, 1, 1]


class Person(BaseModel):
    name: str
    age: int


async def test_a_class_is_parsed(client: openai.AsyncOpenAI) -> None:
    parsed = await client.responses.parse(**ASKED, text_format=Person)
    assert isinstance(parsed.output_parsed, Person)
    async with client.responses.stream(**ASKED, text_format=Person) as stream:
        response = await stream.get_final_response()
    assert response.output_parsed == parsed.output_parsed
    assert response.text is not None
    assert response.text.format is not None
    assert response.text.format.type == "json_schema"
    assert response.text.format.schema_["required"] == ["name", "age"]


async def test_a_json_object_is_given(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(**ASKED, text={"format": {"type": "json_object"}})
    assert response.output_text == "{}"


async def test_a_failure_in_the_middle_of_a_stream_is_the_clients_exception() -> None:
    script = [ScriptedReply(pieces=("so", " far"), failure=GeneratorFailedError("The engine failed."))]
    async with live_server(adapters=FakeAdapters(script=script)) as server, _client_of(server) as client:
        events = []
        with pytest.raises(openai.APIError, match="The engine failed"):
            async for event in await client.responses.create(**ASKED, stream=True):
                events.append(event)  # noqa: PERF401 - those before the exception are wanted
    last = events[-1]
    assert last.type == "response.failed"
    assert last.response.status == "failed"
    assert last.response.error is not None
    assert last.response.error.message == "The engine failed."
    assert last.response.output_text == "so far"


async def test_a_failure_before_the_first_event_is_a_status() -> None:
    script = [ScriptedReply(refusal=GeneratorFailedError("The engine failed."))]
    async with live_server(adapters=FakeAdapters(script=script)) as server, _client_of(server) as client:
        with pytest.raises(openai.InternalServerError, match="The engine failed"):
            await client.responses.create(**ASKED, stream=True)


async def test_a_response_that_cannot_be_kept_fails() -> None:
    class FullStore(InMemoryResponseStore):
        async def put(self, response: StoredResponse, /) -> None:
            raise StorageError("The disk is full.")

    async with live_server(adapters=FakeAdapters(responses=FullStore())) as server, _client_of(server) as client:
        with pytest.raises(openai.InternalServerError, match="The disk is full"):
            await client.responses.create(**ASKED)
        with pytest.raises(openai.APIError, match="The disk is full"):
            await _stream(client)
        assert (await client.responses.create(**ASKED, store=False)).status == "completed"


async def test_a_client_that_leaves_frees_the_engine() -> None:
    script = [ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.001)]
    async with live_server(adapters=FakeAdapters(script=script)) as server, _client_of(server) as client:
        stream = await client.responses.create(**ASKED, stream=True, max_output_tokens=4_000)
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        await server.until_idle()


async def test_a_synchronous_client_is_served(server: LiveServer) -> None:
    def ask() -> tuple[str, str]:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            with client.responses.stream(**ASKED) as stream:
                streamed = stream.get_final_response()
            return streamed.output_text, client.responses.create(**ASKED).output_text

    assert await asyncio.to_thread(ask) == ("hello big world", "hello big world")


REFUSED: dict[str, Any] = {
    "background_options": {"completion_window": "2h"},
    "context_management": [{"type": "compaction"}],
    "conversation": "conv_1",
    "image": {"context_compression": "auto"},
    "include": ["message.whatever"],
    "prompt": {"id": "pmpt_1"},
    "truncation": "auto",
}
"""Parameters that are not honoured, each with a value that asks for something."""
HARMLESS: dict[str, list[Any]] = {
    "background_options": [],
    "context_management": [[]],
    "conversation": [],
    "image": [],
    "include": [[], ["message.input_image.image_url"]],
    "prompt": [],
    "truncation": ["disabled"],
    "service_tier": ["auto", "default"],
}
"""The values of each that ask for nothing."""
WARNED: dict[str, Any] = {
    "access_programs": {"cyber": "standard"},
    "max_tool_calls": 3,
    "moderation": {"model": "x"},
    "prompt_cache_key": "key",
    "prompt_cache_options": {"ttl": "30m"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "somebody",
    "service_tier": "priority",
}
"""Parameters that have no effect, each with a value."""


def test_every_documented_parameter_is_known() -> None:
    documented = set(typing.get_type_hints(ResponseCreateParamsNonStreaming)) | {"stream"}
    extensions = set(SamplingBody.model_fields) - documented
    assert set(ResponseBody.model_fields) == documented | extensions
    assert set(REFUSED) | set(WARNED) | set(HARMLESS) <= documented


def test_every_parameter_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8").partition("## Parameters of a response")[2]
    assert set(ResponseBody.model_fields) <= set(re.findall(r"`(\w+)`", page))


@pytest.mark.parametrize("parameter", sorted(REFUSED))
async def test_what_cannot_be_honoured_is_refused_by_name(client: openai.AsyncOpenAI, parameter: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(**ASKED, extra_body={parameter: REFUSED[parameter]})
    assert (refused.value.param or "").split(".")[0] == parameter


@pytest.mark.parametrize("parameter", sorted(HARMLESS))
async def test_what_asks_for_nothing_is_taken(client: openai.AsyncOpenAI, parameter: str) -> None:
    for value in (None, *HARMLESS[parameter]):
        response = await client.responses.create(**ASKED, extra_body={parameter: value})
        assert "warnings" not in (response.model_extra or {})


@pytest.mark.parametrize("parameter", sorted(WARNED))
async def test_what_has_no_effect_is_listed(client: openai.AsyncOpenAI, parameter: str) -> None:
    body = {parameter: WARNED[parameter]}
    response = await client.responses.create(**ASKED, extra_body=body)
    assert (response.model_extra or {})["warnings"] == [f"{parameter} has no effect on this server."]
    events = await _stream(client, extra_body=body)
    assert events[0].response.model_extra == response.model_extra


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"include": ["reasoning.encrypted_content"]}, "include reasoning.encrypted_content"),
        ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
    ],
)
async def test_what_has_no_effect_within_a_parameter_is_listed(
    client: openai.AsyncOpenAI, body: dict[str, Any], parameter: str
) -> None:
    response = await client.responses.create(**ASKED, extra_body=body)
    assert (response.model_extra or {})["warnings"] == [f"{parameter} has no effect on this server."]


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"temperature": 2.5}, "temperature"),
        ({"no_such_parameter": 1}, "no_such_parameter"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": [{"type": "computer_call", "id": "1"}]}, "input.0"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "1"}]}]}, "input.0.content.0"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://x/y.png"}]}]}, "input"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input.0.content.0.image_url",
        ),
        ({"metadata": {"a": "b" * 513}}, "metadata.a"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"pattern": 1}}}}, "text.format.schema"),
        ({"reasoning": {"effort": "enormous"}}, "reasoning.effort"),
    ],
)
async def test_what_breaks_a_rule_is_refused(server: LiveServer, values: dict[str, Any], parameter: str | None) -> None:
    answer = await server.client.post("/v1/responses", json={**ASKED, **values})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == parameter


async def test_a_picture_needs_a_model_that_sees(client: openai.AsyncOpenAI) -> None:
    part = {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="}
    items: Any = [{"role": "user", "content": [part]}]
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(model=ECHO_MODEL, input=items)
    assert (refused.value.code, refused.value.param) == ("unsupported_capability", "input")


async def test_a_prompt_that_is_too_long_has_the_code_that_programs_look_for(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(**ASKED, max_output_tokens=1_000_000)
    assert refused.value.code == "context_length_exceeded"


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await client.responses.create(**{**ASKED, "model": "no/such"})
    assert refused.value.code == "model_not_found"


@asynccontextmanager
async def _listening_server() -> AsyncIterator[tuple[LiveServer, ListeningGenerator]]:
    adapters = FakeAdapters()
    adapters.generator = generator = ListeningGenerator(adapters.fake_generator)
    async with live_server(adapters=adapters) as server:
        yield server, generator
