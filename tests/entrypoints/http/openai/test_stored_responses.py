"""Responses that are kept: asked for again, gone on from, deleted, by OpenAI's own client."""

import typing
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai.types.responses.input_token_count_params import InputTokenCountParams

from cortex_adapters.fake import ECHO_MODEL
from cortex_adapters.in_memory import InMemoryResponseStore
from cortex_entrypoints.http.openai.responses.prompt_body import CountTokensBody
from tests.entrypoints.http.listening_generator import ListeningGenerator
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server


@pytest.fixture
def adapters() -> FakeAdapters:
    adapters = FakeAdapters(responses=InMemoryResponseStore(max_responses=3))
    adapters.generator = ListeningGenerator(adapters.fake_generator)
    return adapters


@pytest.fixture
async def server(adapters: FakeAdapters) -> AsyncIterator[LiveServer]:
    async with live_server(adapters=adapters) as running:
        yield running


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as opened:
        yield opened


def _asked(adapters: FakeAdapters) -> list[tuple[str, str]]:
    """What the model was asked last: roles and texts."""
    assert isinstance(adapters.generator, ListeningGenerator)
    return [(message.role, message.text) for message in adapters.generator.requests[-1].messages]


async def _say(client: openai.AsyncOpenAI, said: Any, **asked: Any) -> Any:
    return await client.responses.create(model=ECHO_MODEL, input=said, **asked)


async def test_a_response_is_given_again(client: openai.AsyncOpenAI) -> None:
    response = await _say(client, "hello", metadata={"a": "b"})
    assert await client.responses.retrieve(response.id) == response


async def test_a_streamed_one_is_there_when_its_last_event_comes(client: openai.AsyncOpenAI) -> None:
    async for event in await _say(client, "hello", stream=True):
        if event.type == "response.completed":
            assert await client.responses.retrieve(event.response.id) == event.response


async def test_one_that_was_cut_is_kept_too(client: openai.AsyncOpenAI) -> None:
    response = await _say(client, "hello big world", max_output_tokens=1)
    assert response.status == "incomplete"
    assert await client.responses.retrieve(response.id) == response


async def test_what_is_not_to_be_stored_is_not(client: openai.AsyncOpenAI) -> None:
    response = await _say(client, "hello", store=False)
    with pytest.raises(openai.NotFoundError) as refused:
        await client.responses.retrieve(response.id)
    assert refused.value.code == "response_not_found"


async def test_a_conversation_goes_on(client: openai.AsyncOpenAI, adapters: FakeAdapters) -> None:
    first = await _say(client, "my name is Ada", instructions="Be brief.")
    second = await _say(client, "what is it?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert _asked(adapters) == [("user", "my name is Ada"), ("assistant", "my name is Ada"), ("user", "what is it?")]
    await _say(client, "again", previous_response_id=second.id, instructions="Be kind.")
    assert _asked(adapters)[0] == ("system", "Be kind.")
    assert [text for role, text in _asked(adapters) if role == "assistant"] == ["my name is Ada", "what is it?"]


async def test_two_go_on_from_one(client: openai.AsyncOpenAI, adapters: FakeAdapters) -> None:
    first = await _say(client, "one")
    for said in ("two", "three"):
        await _say(client, said, previous_response_id=first.id)
        assert [text for _, text in _asked(adapters)] == ["one", "one", said]


async def test_thoughts_go_on_too(client: openai.AsyncOpenAI, adapters: FakeAdapters) -> None:
    first = await _say(client, "one", reasoning={"effort": "high"})
    await _say(client, "two", previous_response_id=first.id)
    assert isinstance(adapters.generator, ListeningGenerator)
    assert adapters.generator.requests[-1].messages[1].reasoning == "one"


async def test_what_a_model_said_can_be_sent_back_as_it_came(
    client: openai.AsyncOpenAI, adapters: FakeAdapters
) -> None:
    first = await _say(client, "one", reasoning={"effort": "high"})
    said: Any = [{"role": "user", "content": "one"}, *first.output, {"role": "user", "content": "two"}]
    await _say(client, said)
    assert [text for _, text in _asked(adapters)] == ["one", "one", "two"]


async def test_an_item_is_referred_to(client: openai.AsyncOpenAI, adapters: FakeAdapters) -> None:
    first = await _say(client, "one")
    reference = {"type": "item_reference", "id": first.output[0].id}
    second = await _say(client, [reference, {"role": "user", "content": "two"}])
    assert _asked(adapters) == [("assistant", "one"), ("user", "two")]
    listed = await client.responses.input_items.list(second.id, order="asc")
    assert listed.data[0].id == first.output[0].id


async def test_an_item_that_is_not_stored_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await _say(client, [{"type": "item_reference", "id": "msg_unknown"}])
    assert refused.value.code == "response_item_not_found"


async def test_an_item_is_not_said_twice(client: openai.AsyncOpenAI) -> None:
    first = await _say(client, "one")
    with pytest.raises(openai.BadRequestError, match="part of the response") as refused:
        await _say(client, list(first.output), previous_response_id=first.id)
    assert refused.value.param == "input"


async def test_input_items_are_listed_by_the_page(client: openai.AsyncOpenAI) -> None:
    first = await _say(client, "one")
    second = await _say(client, "two", previous_response_id=first.id)
    ascending: list[Any] = [item async for item in client.responses.input_items.list(second.id, order="asc", limit=1)]
    assert [(item.role, item.content[0].text) for item in ascending] == [
        ("user", "one"),
        ("assistant", "one"),
        ("user", "two"),
    ]
    assert (await client.responses.input_items.list(second.id)).data == ascending[::-1]
    page: Any = await client.responses.input_items.list(second.id, limit=2)
    assert (page.first_id, page.last_id) == (ascending[2].id, ascending[1].id)
    assert page.has_more


async def test_a_page_after_an_unknown_item_is_not_found(client: openai.AsyncOpenAI) -> None:
    response = await _say(client, "one")
    with pytest.raises(openai.NotFoundError):
        await client.responses.input_items.list(response.id, after="msg_unknown")


async def test_items_of_any_role_are_listed_as_they_were_said(client: openai.AsyncOpenAI) -> None:
    said: Any = [
        {"role": "developer", "content": "be brief", "id": "msg_mine"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": [{"type": "input_text", "text": "one"}]},
    ]
    response = await _say(client, said)
    listed = (await client.responses.input_items.list(response.id, order="asc")).data
    assert [item.role for item in listed] == ["developer", "assistant", "user"]  # type: ignore[union-attr]
    assert listed[0].id == "msg_mine"


async def test_what_is_deleted_is_gone(client: openai.AsyncOpenAI, server: LiveServer) -> None:
    first = await _say(client, "one")
    second = await _say(client, "two", previous_response_id=first.id)
    answer = await server.client.delete(f"/v1/responses/{first.id}")
    assert answer.json() == {"id": first.id, "object": "response", "deleted": True}
    with pytest.raises(openai.NotFoundError):
        await client.responses.delete(first.id)
    assert (await client.responses.retrieve(second.id)).id == second.id
    with pytest.raises(openai.BadRequestError) as refused:
        await _say(client, "three", previous_response_id=second.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
    assert first.id in refused.value.message


async def test_what_had_to_make_room_is_gone(client: openai.AsyncOpenAI) -> None:
    first = await _say(client, "one")
    for said in ("two", "three", "four"):
        await _say(client, said)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError):
        await _say(client, "five", previous_response_id=first.id)


async def test_users_do_not_find_what_is_another_ones(client: openai.AsyncOpenAI) -> None:
    mine = await _say(client, "one", user="me")
    with pytest.raises(openai.BadRequestError):
        await _say(client, "two", previous_response_id=mine.id, user="you")
    with pytest.raises(openai.NotFoundError):
        await _say(client, [{"type": "item_reference", "id": mine.output[0].id}], user="you")
    for ask in (client.responses.retrieve, client.responses.delete):
        with pytest.raises(openai.NotFoundError):
            await ask(mine.id, extra_query={"user": "you"})
    assert await client.responses.retrieve(mine.id, extra_query={"user": "me"}) == mine


async def test_who_names_no_user_goes_on_as_the_one_before(client: openai.AsyncOpenAI, adapters: FakeAdapters) -> None:
    mine = await _say(client, "one", user="me")
    second = await _say(client, "two", previous_response_id=mine.id)
    assert isinstance(adapters.generator, ListeningGenerator)
    assert [request.owner for request in adapters.generator.requests] == ["me", "me"]
    await _say(client, "three", previous_response_id=second.id, user="me")


async def test_one_that_was_not_asked_for_in_the_background_is_neither_cancelled_nor_streamed_again(
    client: openai.AsyncOpenAI,
) -> None:
    response = await _say(client, "one")
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.cancel(response.id)
    assert refused.value.code == "response_not_in_background"
    with pytest.raises(openai.BadRequestError):
        await client.responses.retrieve(response.id, stream=True)
    with pytest.raises(openai.NotFoundError):
        await client.responses.cancel("resp_unknown")


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("?stream=maybe", "stream"),
        ("?starting_after=-5&stream=true", "starting_after"),
        ("?include_obfuscation=true", "include_obfuscation"),
        ("?include=message.whatever", "include.0"),
        ("?whatever=1", "whatever"),
        ("/input_items?limit=0", "limit"),
        ("/input_items?limit=many", "limit"),
        ("/input_items?order=none", "order"),
    ],
)
async def test_a_query_that_cannot_be_honoured_is_refused_by_name(
    client: openai.AsyncOpenAI, server: LiveServer, path: str, parameter: str
) -> None:
    response = await _say(client, "one")
    answer = await server.client.get(f"/v1/responses/{response.id}{path}")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == parameter


async def test_what_is_always_included_may_be_asked_for(client: openai.AsyncOpenAI) -> None:
    response = await _say(client, "one")
    assert await client.responses.retrieve(response.id, include=["message.input_image.image_url"]) == response


async def test_the_tokens_of_a_prompt_are_counted(client: openai.AsyncOpenAI) -> None:
    first = await _say(client, "one two three", instructions="Be brief.")
    asked: Any = {"model": ECHO_MODEL, "input": "one two three", "instructions": "Be brief."}
    assert (await client.responses.input_tokens.count(**asked)).input_tokens == first.usage.input_tokens
    second = await _say(client, "four", previous_response_id=first.id)
    asked = {"model": ECHO_MODEL, "input": "four", "previous_response_id": first.id}
    assert (await client.responses.input_tokens.count(**asked)).input_tokens == second.usage.input_tokens


@pytest.mark.parametrize(
    ("values", "parameter"), [({"input": None}, "input"), ({"personality": "friendly"}, "personality")]
)
async def test_a_count_that_cannot_be_honoured_is_refused_by_name(
    client: openai.AsyncOpenAI, values: dict[str, Any], parameter: str
) -> None:
    asked: Any = {"model": ECHO_MODEL, "input": "one", **values}
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.input_tokens.count(**asked)
    assert refused.value.param == parameter


def test_every_documented_parameter_of_a_count_is_known() -> None:
    assert set(CountTokensBody.model_fields) == set(typing.get_type_hints(InputTokenCountParams)) | {"user"}
