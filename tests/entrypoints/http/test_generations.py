"""What is kept of generations that nobody reads, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cortex_adapters.fake import ECHO_MODEL, ScriptedReply
from cortex_domain.errors import GenerationNotFoundError, GeneratorBusyError
from cortex_domain.events import TextDelta
from cortex_domain.generation import GenerationRequest
from cortex_domain.messages import user_message
from cortex_entrypoints.http.generations import Generations
from cortex_entrypoints.http.in_flight import InFlight
from tests.entrypoints.http.live_server import FakeAdapters


class Kept:
    """Generations over a fake, with what can be seen of them."""

    def __init__(self, generations: Generations, adapters: FakeAdapters) -> None:
        self.generations = generations
        self.generator = adapters.fake_generator

    async def leave(self, batches: int) -> str:
        """Begins a generation, takes so many batches of events, leaves, and returns its id."""
        request = GenerationRequest(model=ECHO_MODEL, messages=(user_message("x"),), max_tokens=1000)
        async with self.generations.begun(request) as reader:
            for _ in range(batches):
                await anext(reader)
        return request.generation_id

    async def text(self, generation_id: str) -> str:
        async with self.generations.followed(generation_id, after=None) as reader:
            events = [event async for batch in reader for _, event in batch]
        return "".join(event.text for event in events if isinstance(event, TextDelta))


@asynccontextmanager
async def kept(
    *replies: ScriptedReply | str, resumable_for_s: float = 60.0, max_bytes: int = 10**7
) -> AsyncIterator[Kept]:
    adapters = FakeAdapters(script=replies)
    cortex, in_flight = adapters.wire(), InFlight()
    generations = Generations(cortex=cortex, in_flight=in_flight, resumable_for_s=resumable_for_s, max_bytes=max_bytes)
    yield Kept(generations, adapters)
    await generations.close()
    assert adapters.fake_generator.suspended_generations == 0


REPLY = ScriptedReply(pieces=("word ",) * 100)


async def test_who_left_before_the_first_event_knows_no_id_and_is_not_kept() -> None:
    async with kept(REPLY, REPLY) as world:
        await world.leave(0)
        assert world.generator.suspended_generations == 0
        await world.leave(1)
        assert (world.generator.active_requests, world.generator.suspended_generations) == (0, 1)


async def test_readers_come_and_go_in_any_order() -> None:
    async with kept(REPLY) as world:
        generation_id = await world.leave(2)
        texts = await asyncio.gather(*(world.text(generation_id) for _ in range(5)))
        assert set(texts) == {"".join(REPLY.pieces)}
        assert await world.text(generation_id) == texts[0]


async def test_who_comes_while_the_last_one_leaves_reads_on() -> None:
    async with kept(*[REPLY] * 20) as world:
        for turns in range(20):
            leaving = asyncio.create_task(world.leave(3))
            while not world.generator.active_requests:
                await asyncio.sleep(0)
            (generation_id,) = world.generations._known or ("",)
            for _ in range(turns):
                await asyncio.sleep(0)
            text = await world.text(generation_id or await leaving)
            await leaving
            assert text == "".join(REPLY.pieces)
            await world.generations.close()


async def test_a_reader_who_leaves_while_it_comes_leaves_it_suspended() -> None:
    async with kept(REPLY) as world:
        generation_id = await world.leave(2)
        for turns in range(6):
            coming = asyncio.create_task(world.text(generation_id))
            for _ in range(turns):
                await asyncio.sleep(0)
            coming.cancel()
            await asyncio.wait({coming})
        assert await world.text(generation_id) == "".join(REPLY.pieces)


async def test_cancelling_while_somebody_comes_ends_it_for_everybody() -> None:
    for turns in range(8):
        async with kept(REPLY) as world:
            generation_id = await world.leave(2)
            coming = asyncio.create_task(world.text(generation_id))
            for _ in range(turns):
                await asyncio.sleep(0)
            await world.generations.cancel(generation_id)
            assert "".join(REPLY.pieces).startswith(await coming)
            assert world.generator.active_requests == 0


async def test_the_oldest_go_when_the_memory_is_full() -> None:
    async with kept(*[REPLY] * 6, max_bytes=60_000) as world:
        ids = [await _read_whole(world) for _ in range(4)]
        with pytest.raises(GenerationNotFoundError):
            await world.text(ids[0])
        assert await world.text(ids[-1]) == "".join(REPLY.pieces)


async def _read_whole(world: Kept) -> str:
    request = GenerationRequest(model=ECHO_MODEL, messages=(user_message("x"),), max_tokens=1000)
    async with world.generations.begun(request) as reader:
        async for _ in reader:
            pass
    return request.generation_id


async def test_a_refused_generation_is_not_known() -> None:
    refusal = GeneratorBusyError("Too many.")
    async with kept(ScriptedReply(refusal=refusal)) as world:
        with pytest.raises(GeneratorBusyError):
            await world.leave(1)
        assert not world.generations._known
