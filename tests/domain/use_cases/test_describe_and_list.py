from dataclasses import replace

import pytest

from cortex_domain.errors import ModelNotFoundError
from cortex_domain.language_models import OWN_CAPABILITIES, Capability, ModelDescriptor, ModelState
from tests.domain.use_cases.wiring import ABSENT, ALSO_HERE, HERE, LARGE, wire


async def test_a_model_on_disk_has_what_generator_and_weights_have() -> None:
    wired = wire()
    described = await wired.describe("here")
    assert described == replace(
        HERE, capabilities=wired.generator.capabilities - OWN_CAPABILITIES, memory_estimate=described.memory_estimate
    )
    assert Capability.SEED in described.capabilities
    assert Capability.IMAGE_INPUT not in described.capabilities
    assert Capability.REASONING_EFFORT not in described.capabilities


async def test_a_loaded_model_tells_its_real_memory_and_window() -> None:
    wired = wire()
    loaded = await wired.load(HERE.id)
    described = await wired.describe(HERE.id)
    assert described.state is ModelState.LOADED
    assert (described.memory_bytes, described.context_window) == (loaded.memory_bytes, loaded.context_window)


async def test_the_list_describes_each_model_as_it_is_served() -> None:
    wired = wire()
    await wired.load(HERE.id)
    listed = await wired.listing()
    assert [model.id for model in listed] == [ABSENT.id, ALSO_HERE.id, HERE.id, LARGE.id]
    assert [model.state for model in listed] == ["available", "downloaded", "loaded", "downloaded"]
    assert listed == [await wired.describe(model.id) for model in listed]


async def test_an_unknown_model_is_refused_with_names_near_it() -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        await wire().describe("fake/her")
    assert caught.value.nearest[0] == HERE.id


async def test_the_store_is_asked_once_while_a_model_stays_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    wired = wire()
    asked: list[str] = []
    describe = wired.store.describe

    async def noting(name: str) -> ModelDescriptor:
        asked.append(name)
        return await describe(name)

    monkeypatch.setattr(wired.store, "describe", noting)
    assert (await wired.describe.while_loaded("here")).state is ModelState.DOWNLOADED
    assert (await wired.describe.while_loaded("here")).state is ModelState.DOWNLOADED
    assert asked.count("here") == 2
    await wired.load("fake/here")
    asked.clear()
    for _ in range(3):
        assert (await wired.describe.while_loaded("here")) == await wired.describe("fake/here")
    assert asked.count("here") == 1
    await wired.unload("fake/here")
    await wired.load("fake/here")
    asked.clear()
    await wired.describe.while_loaded("here")
    assert asked.count("here") == 1
