"""Responses in the background, by OpenAI's own client: polled, streamed again, cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply
from cortex_adapters.in_memory import InMemoryResponseStore
from cortex_domain.errors import GeneratorFailedError, StorageError
from cortex_domain.generation import Priority
from cortex_domain.stored_responses import StoredResponse
from tests.entrypoints.http.listening_generator import ListeningGenerator
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

SLOW = ScriptedReply(pieces=("word ",) * 2_000, delay_s=0.001)
ENDLESS = ScriptedReply(pieces=("word ",) * 100_000, delay_s=0.01)


@asynccontextmanager
async def _client(
    *script: ScriptedReply | str, **adapters: Any
) -> AsyncIterator[tuple[Any, LiveServer]]:  # events of many kinds are told apart by what they have
    async with (
        live_server(adapters=FakeAdapters(script=script or None, **adapters)) as server,
        openai.AsyncOpenAI(
            base_url=f"{server.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
        ) as client,
    ):
        yield client, server


async def _begin(client: Any, **asked: Any) -> Any:
    return await client.responses.create(model=ECHO_MODEL, input="hello big world", background=True, **asked)


async def _ended(client: Any, response_id: str) -> Any:
    async with asyncio.timeout(20):
        while (response := await client.responses.retrieve(response_id)).status == "in_progress":
            await asyncio.sleep(0.01)
    return response


async def test_it_goes_on_while_nobody_waits() -> None:
    async with _client(SLOW) as (client, server):
        begun = await _begin(client, max_output_tokens=300)
        assert (begun.status, begun.background, begun.output) == ("in_progress", True, [])
        assert (await client.responses.retrieve(begun.id)).id == begun.id
        ended = await _ended(client, begun.id)
        assert (ended.status, ended.output_text) == ("incomplete", "word " * 300)
        await server.until_idle()


async def test_it_lets_the_interactive_go_first() -> None:
    adapters = FakeAdapters()
    adapters.generator = generator = ListeningGenerator(adapters.fake_generator)
    async with (
        live_server(adapters=adapters) as server,
        openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client,
    ):
        await _ended(client, (await _begin(client)).id)
    assert generator.requests[0].priority is Priority.BACKGROUND


async def test_its_stream_is_read_on_after_a_cut() -> None:
    async with _client(SLOW) as (client, server):
        seen: list[Any] = []
        stream = await _begin(client, stream=True, max_output_tokens=200)
        async for event in stream:
            seen.append(event)
            if len(seen) == 50:
                break
        await stream.close()
        response_id = seen[0].response.id
        async for event in await client.responses.retrieve(response_id, stream=True, starting_after=49):
            seen.append(event)  # noqa: PERF401 - goes on with what there is
        assert [event.sequence_number for event in seen] == list(range(len(seen)))
        assert "".join(event.delta for event in seen if event.type.endswith("text.delta")) == "word " * 200
        assert seen[-1].response == await client.responses.retrieve(response_id)
        await server.until_idle()


async def test_its_stream_is_read_again_when_it_has_ended() -> None:
    async with _client() as (client, _):
        first = [event async for event in await _begin(client, stream=True)]
        response_id = first[0].response.id
        again = [event async for event in await client.responses.retrieve(response_id, stream=True)]
        assert again == first
        rest = [event async for event in await client.responses.retrieve(response_id, stream=True, starting_after=4)]
        assert rest == first[5:]
        last = first[-1].sequence_number
        assert [e async for e in await client.responses.retrieve(response_id, stream=True, starting_after=last)] == []


async def test_two_read_one_stream() -> None:
    async with _client(SLOW) as (client, _):
        begun = await _begin(client, max_output_tokens=200)

        async def read() -> list[Any]:
            return [event async for event in await client.responses.retrieve(begun.id, stream=True)]

        one, other = await asyncio.gather(read(), read())
        assert one == other
        assert one[-1].type == "response.incomplete"


async def test_the_helper_reads_on_too() -> None:
    async with _client(SLOW) as (client, _):
        begun = await _begin(client, max_output_tokens=50)
        async with client.responses.stream(response_id=begun.id, starting_after=1) as stream:
            texts = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        assert "".join(texts) == "word " * 50


async def test_it_is_cancelled_with_what_there_is() -> None:
    async with _client(ENDLESS) as (client, server):
        begun = await _begin(client, max_output_tokens=3_000)
        reading = await client.responses.retrieve(begun.id, stream=True)
        async for event in reading:
            if event.type == "response.output_text.delta":
                break
        cancelled = await client.responses.cancel(begun.id)
        assert cancelled.status == "cancelled"
        assert cancelled.output_text.startswith("word ")
        *_, last = [event async for event in reading]
        assert last.response.status == "cancelled"
        assert await client.responses.cancel(begun.id) == await client.responses.retrieve(begun.id) == cancelled
        await server.until_idle()


async def test_one_that_is_deleted_ends() -> None:
    async with _client(ENDLESS) as (client, server):
        begun = await _begin(client, max_output_tokens=3_000)
        await client.responses.delete(begun.id)
        await server.until_idle()
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(begun.id)


async def test_nobody_else_finds_it() -> None:
    async with _client(ENDLESS) as (client, server):
        begun = await _begin(client, max_output_tokens=3_000, user="me")
        for ask in (client.responses.retrieve, client.responses.cancel, client.responses.delete):
            with pytest.raises(openai.NotFoundError):
                await ask(begun.id, extra_query={"user": "you"})
        await client.responses.cancel(begun.id, extra_query={"user": "me"})
        await server.until_idle()


async def test_what_is_being_said_cannot_be_gone_on_from() -> None:
    async with _client(ENDLESS, "hello") as (client, _):
        begun = await _begin(client, max_output_tokens=3_000)
        with pytest.raises(openai.BadRequestError, match="still being generated"):
            await client.responses.create(model=ECHO_MODEL, input="and?", previous_response_id=begun.id)
        assert len((await client.responses.input_items.list(begun.id)).data) == 1
        await client.responses.cancel(begun.id)
        assert (await _begin(client, previous_response_id=begun.id)).status == "in_progress"


async def test_a_failure_is_kept() -> None:
    async with _client(ScriptedReply(pieces=("so", " far"), failure=GeneratorFailedError("It failed."))) as (client, _):
        ended = await _ended(client, (await _begin(client)).id)
        assert (ended.status, ended.output_text) == ("failed", "so far")
        assert ended.error is not None
        assert ended.error.message == "It failed."
        with pytest.raises(openai.APIError, match="It failed"):
            async for _ in await client.responses.retrieve(ended.id, stream=True):
                pass


async def test_a_bug_is_kept_and_says_nothing() -> None:
    class BrokenStore(InMemoryResponseStore):
        async def put(self, response: StoredResponse, /) -> None:
            if b"event: response.completed" in response.events:
                raise ZeroDivisionError
            await super().put(response)

    async with _client(responses=BrokenStore()) as (client, _):
        ended = await _ended(client, (await _begin(client)).id)
        assert ended.error.message.startswith("Something in the server failed")


async def test_a_refusal_is_a_status() -> None:
    async with _client(ScriptedReply(refusal=GeneratorFailedError("It failed."))) as (client, server):
        with pytest.raises(openai.InternalServerError, match="It failed"):
            await _begin(client)
        with pytest.raises(openai.BadRequestError) as refused:
            await _begin(client, store=False)
        assert refused.value.param == "store"
        await server.until_idle()


async def test_one_that_cannot_be_kept_is_refused_and_ends() -> None:
    class FullStore(InMemoryResponseStore):
        async def put(self, response: StoredResponse, /) -> None:
            raise StorageError("The disk is full.")

    async with _client(ENDLESS, responses=FullStore()) as (client, server):
        with pytest.raises(openai.InternalServerError, match="The disk is full"):
            await _begin(client, max_output_tokens=3_000)
        await server.until_idle()


async def test_a_client_that_leaves_before_it_is_accepted_ends_it() -> None:
    async with _client(ENDLESS) as (client, server):
        asking = asyncio.create_task(_begin(client, max_output_tokens=3_000))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        await server.until_idle()


async def test_a_server_that_stops_ends_it() -> None:
    async with _client(ENDLESS) as (client, server):
        begun = await _begin(client, max_output_tokens=3_000)
        reading = await client.responses.retrieve(begun.id, stream=True)
        server.stop.set()
        with pytest.raises(openai.APIError, match="stopping"):
            async for _ in reading:
                pass


async def test_where_to_read_on_needs_a_stream() -> None:
    async with _client() as (client, server):
        begun = await _begin(client)
        answer = await server.client.get(f"/v1/responses/{begun.id}?starting_after=1")
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "starting_after"
