"""Idle models leave the memory while Cortex runs, and nothing is left of that when it stops."""

import asyncio

import pytest

from cortex_adapters.fake import ECHO_MODEL, FakeClock, FakeModelLoader, FakeModelStore
from cortex_domain.errors import GeneratorFailedError
from cortex_domain.language_models import ModelId
from cortex_domain.model_residency import ModelResidency
from cortex_domain.use_cases import LoadModel, MakeRoom, UnloadIdleModels
from cortex_entrypoints import Settings, open_cortex
from cortex_entrypoints.idle_unloading import LOOK_EVERY_S, IdleUnloading


class _FailingOnce(FakeModelLoader):
    has_failed = False

    async def unload(self, model_id: ModelId, /) -> None:
        if not self.has_failed:
            self.has_failed = True
            raise GeneratorFailedError("It fails once.")
        await super().unload(model_id)


@pytest.mark.parametrize("loader", [FakeModelLoader(), _FailingOnce()], ids=["works", "fails once"])
async def test_a_model_leaves_within_a_look_of_its_time(loader: FakeModelLoader) -> None:
    others = asyncio.all_tasks()
    clock, store = FakeClock(), FakeModelStore()
    residency = ModelResidency(clock=clock, keep_alive_s=30)
    make_room = MakeRoom(loader=loader, residency=residency)
    await LoadModel(store=store, loader=loader, residency=residency, make_room=make_room)(ECHO_MODEL)
    unload_idle_models = UnloadIdleModels(loader=loader, residency=residency)
    unloading = IdleUnloading(unload_idle_models=unload_idle_models, clock=clock)
    await unloading.stop()
    unloading.start()
    await clock.advance(30 - LOOK_EVERY_S)
    assert loader.loaded()
    for _ in range(3):
        await clock.advance(LOOK_EVERY_S)
    assert not loader.loaded()
    await unloading.stop()
    assert asyncio.all_tasks() == others


async def test_an_opened_cortex_keeps_to_the_settings() -> None:
    settings = Settings(default_model=ECHO_MODEL, keep_alive_s=0, pinned_models=("parrot",))
    async with open_cortex(settings) as cortex:
        async with cortex.pull_model("parrot") as events, asyncio.timeout(20):
            async for _ in events:
                pass
        await cortex.load_model("parrot")
        await cortex.load_model("echo")
        async with asyncio.timeout(20):
            while len(cortex.loaded_models()) > 1:
                await asyncio.sleep(0.01)
        assert [model.id for model in cortex.loaded_models()] == ["fake/parrot"]
