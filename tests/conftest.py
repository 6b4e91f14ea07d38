"""What tests of every kind share: one Cortex on the real starter model for the whole run."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from cortex_domain.language_models import ModelFiles
from cortex_entrypoints import Cortex, EnginePlacement, Settings
from cortex_entrypoints.container import CortexContainer, build_container

# No test may look for a hub; those of the hub's client bring their own, on this machine.
os.environ["HF_HUB_OFFLINE"] = "1"

# A machine that is busy makes an example slow, and nothing here judges by the clock.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_MODEL_CACHE_DIR = Path(__file__).parent.parent / ".cache" / "models"
"""Kept between runs, because it takes seconds to make."""


@pytest.fixture(scope="session")
def starter_settings() -> Settings:
    return Settings(default_model="starter", model_cache_dir=_MODEL_CACHE_DIR, prefix_cache_disk_bytes=0)


@asynccontextmanager
async def _started(settings: Settings, placement: EnginePlacement) -> AsyncIterator[CortexContainer]:
    container = build_container(settings, placement=placement)
    cortex: Cortex = container.cortex()
    await cortex.start()
    status = await cortex.default_model_preparation.prepare_default()
    assert status.reason is None
    yield container
    await cortex.stop()


@pytest.fixture(scope="session")
async def starter_container(starter_settings: Settings) -> AsyncIterator[CortexContainer]:
    async with _started(starter_settings, EnginePlacement.THREAD) as container:
        yield container


@pytest.fixture(scope="module", params=EnginePlacement)
async def placed_starter_container(
    request: pytest.FixtureRequest, starter_settings: Settings
) -> AsyncIterator[CortexContainer]:
    async with _started(starter_settings, request.param) as container:
        yield container


@pytest.fixture(scope="session")
def starter_cortex(starter_container: CortexContainer) -> Cortex:
    cortex: Cortex = starter_container.cortex()
    return cortex


@pytest.fixture(scope="session")
async def starter_files(starter_container: CortexContainer) -> ModelFiles:
    store = starter_container.adapters.model_store()
    files: ModelFiles = await store.locate((await store.describe("starter")).id)
    return files
