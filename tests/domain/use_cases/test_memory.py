"""Models leave the memory: to make room, or because nobody uses them."""

import asyncio
from dataclasses import replace

import pytest

from cortex_adapters.fake import ScriptedReply
from cortex_domain.errors import (
    CortexError,
    InsufficientMemoryError,
    InvalidModelError,
    MemoryPressureError,
    StorageError,
)
from cortex_domain.event_stream import collect
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import LoadedModel, LoadOptions, ModelDescriptor, ModelId
from cortex_domain.messages import user_message
from tests.domain.use_cases.wiring import ALSO_HERE, HERE, LARGE, Wired, wire

REQUEST = GenerationRequest(model=HERE.id, messages=(user_message("hello"),))

MEMORY_IS_SHORT = ScriptedReply(refusal=MemoryPressureError(model_id=HERE.id, required_bytes=700, available_bytes=200))


def _loaded(wired: Wired) -> list[ModelId]:
    return [model.id for model in wired.loader.loaded()]


async def _load_in_turn(wired: Wired, *models: ModelDescriptor) -> None:
    for model in models:
        await wired.load(model.id)
        await wired.clock.advance(1)


async def test_the_model_that_nobody_used_for_longest_makes_room() -> None:
    wired = wire(memory_limit_bytes=2600)
    await _load_in_turn(wired, HERE, ALSO_HERE, HERE)
    await wired.load(LARGE.id)
    assert _loaded(wired) == [HERE.id, LARGE.id]


async def test_a_model_that_made_room_comes_back_as_it_was_loaded() -> None:
    wired = wire(memory_limit_bytes=1600)
    await wired.load(HERE.id, kv_cache_bits=8)
    await wired.load(LARGE.id)
    assert _loaded(wired) == [LARGE.id]
    async with wired.generate(REQUEST) as events:
        await collect(events)
    assert (await wired.describe(HERE.id)).kv_cache_bits == 8


async def test_other_options_take_the_place_of_those_that_a_model_left_with() -> None:
    wired = wire(memory_limit_bytes=1600)
    await wired.load(HERE.id, kv_cache_bits=8)
    await wired.load(LARGE.id)
    assert (await wired.load(HERE.id, kv_cache_bits=4)).options == LoadOptions(kv_cache_bits=4)
    await wired.load(LARGE.id)
    assert (await wired.load(HERE.id)).options == LoadOptions(kv_cache_bits=4)


async def test_a_model_that_somebody_unloads_comes_back_as_its_files_are() -> None:
    wired = wire()
    await wired.load(HERE.id, kv_cache_bits=8)
    await wired.unload(HERE.id)
    assert (await wired.load(HERE.id)).options == LoadOptions()


async def test_as_many_models_make_room_as_it_takes() -> None:
    wired = wire(memory_limit_bytes=1600)
    await _load_in_turn(wired, HERE, ALSO_HERE)
    await wired.load(LARGE.id)
    assert _loaded(wired) == [LARGE.id]


async def test_a_model_in_use_makes_no_room() -> None:
    wired = wire(memory_limit_bytes=2200)
    await _load_in_turn(wired, ALSO_HERE)
    async with wired.generate(REQUEST) as events:
        with pytest.raises(InsufficientMemoryError):
            await wired.load(LARGE.id)
        assert _loaded(wired) == [ALSO_HERE.id, HERE.id]
        assert (await collect(events)).text == "hello"


async def test_a_model_that_finds_a_user_meanwhile_makes_no_room() -> None:
    wired = wire(memory_limit_bytes=1600)
    await _load_in_turn(wired, ALSO_HERE, HERE)
    loading = asyncio.ensure_future(wired.load(LARGE.id))
    while ALSO_HERE.id in _loaded(wired):
        await asyncio.sleep(0)
    with wired.residency.using(HERE.id), pytest.raises(InsufficientMemoryError):
        await loading
    assert _loaded(wired) == [HERE.id]


async def test_nothing_is_unloaded_for_what_would_not_fit_even_then() -> None:
    wired = wire(memory_limit_bytes=1650)
    await wired.load(ALSO_HERE.id)
    await wired.load(HERE.id, pinned=True)
    with pytest.raises(InsufficientMemoryError) as refusal:
        await wired.load(LARGE.id)
    assert (refusal.value.required_bytes, refusal.value.available_bytes) == (1500, 50)
    assert _loaded(wired) == [ALSO_HERE.id, HERE.id]


async def test_pins_of_the_settings_hold() -> None:
    wired = wire(pinned=HERE.aliases, memory_limit_bytes=1700)
    await wired.load(HERE.id)
    with pytest.raises(InsufficientMemoryError):
        await wired.load(LARGE.id)
    await wired.unload(HERE.id)
    await wired.load(LARGE.id)
    assert _loaded(wired) == [LARGE.id]


async def test_a_refusal_that_misses_nothing_ends_after_every_idle_model_is_gone() -> None:
    refusal = InsufficientMemoryError(model_id=LARGE.id, required_bytes=10, available_bytes=20)
    wired = wire(refusals={LARGE.id: refusal})
    await wired.load(HERE.id)
    with pytest.raises(InsufficientMemoryError):
        await wired.load(LARGE.id)
    assert _loaded(wired) == []


async def test_idle_models_make_room_for_a_request_too() -> None:
    wired = wire(script=[MEMORY_IS_SHORT, "Here I am."])
    await _load_in_turn(wired, ALSO_HERE, LARGE, HERE)
    async with wired.generate(REQUEST) as events:
        assert (await collect(events)).text == "Here I am."
    assert _loaded(wired) == [LARGE.id, HERE.id]


async def test_a_request_for_which_there_is_no_room_is_refused_and_unloads_nothing() -> None:
    wired = wire(script=[MEMORY_IS_SHORT])
    await wired.load(ALSO_HERE.id, pinned=True)
    with pytest.raises(MemoryPressureError):
        async with wired.generate(REQUEST):
            pass
    assert _loaded(wired) == [ALSO_HERE.id, HERE.id]


async def test_models_leave_when_their_time_is_over() -> None:
    wired = wire(keep_alive_s=60)
    await wired.load(HERE.id)
    await wired.load(ALSO_HERE.id, keep_alive_s=10)
    await wired.load(LARGE.id, pinned=True)
    await wired.clock.advance(10)
    await wired.unload_idle()
    assert _loaded(wired) == [HERE.id, LARGE.id]
    await wired.clock.advance(1000)
    await wired.unload_idle()
    assert _loaded(wired) == [LARGE.id]


async def test_a_request_keeps_its_model_alive_and_may_say_how_long() -> None:
    wired = wire(keep_alive_s=60)
    async with wired.generate(replace(REQUEST, keep_alive_s=5)) as events:
        await wired.clock.advance(1000)
        await wired.unload_idle()
        assert (await collect(events)).text == "hello"
    described = await wired.describe(HERE.id)
    assert described.residency is not None
    assert described.residency.keep_alive_s == 5
    await wired.clock.advance(5)
    await wired.unload_idle()
    assert _loaded(wired) == []


async def test_without_a_time_models_stay() -> None:
    wired = wire()
    await wired.load(HERE.id)
    await wired.clock.advance(10**9)
    await wired.unload_idle()
    assert _loaded(wired) == [HERE.id]


async def test_a_model_on_disk_is_described_with_an_estimate_and_then_with_what_it_takes() -> None:
    wired = wire()
    estimate = (await wired.describe(HERE.id)).memory_estimate
    assert estimate is not None
    assert estimate.weights_bytes == HERE.size_bytes
    loaded: LoadedModel = await wired.load(HERE.id)
    described = await wired.describe(HERE.id)
    assert described.memory_estimate == estimate
    assert described.kv_cache_bytes_per_token == loaded.kv_cache_bytes_per_token == estimate.kv_cache_bytes_per_token


@pytest.mark.parametrize(
    "failure", [InvalidModelError(model_id=HERE.id, reason="it was made so"), StorageError("The disk fails.")]
)
async def test_files_that_cannot_be_read_or_understood_have_no_estimate(failure: CortexError) -> None:
    wired = wire(refusals={HERE.id: failure})
    assert (await wired.describe(HERE.id)).memory_estimate is None
    assert (await wired.describe(LARGE.id)).memory_estimate is not None
