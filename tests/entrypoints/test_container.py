"""The wiring holds together: every provider can be built, whatever is chosen."""

from pathlib import Path

import pytest
from dependency_injector import providers

from cortex_adapters.fake import FakeTextGenerator
from cortex_domain import ModelId
from cortex_entrypoints import Cortex, EnginePlacement, Settings, open_cortex
from cortex_entrypoints.container import CortexContainer, build_container

MODELS = ["fake/echo", "starter", None]


@pytest.mark.parametrize("placement", EnginePlacement)
@pytest.mark.parametrize("default_model", MODELS)
def test_every_provider_can_be_built(default_model: str | None, placement: EnginePlacement, tmp_path: Path) -> None:
    settings = Settings(default_model=default_model, model_cache_dir=tmp_path)
    container = build_container(settings, placement=placement)
    singletons: list[providers.BaseSingleton[object]] = list(container.traverse(types=[providers.BaseSingleton]))
    built = [provider() for provider in singletons]
    assert len(built) > 10
    assert isinstance(container.cortex(), Cortex)
    assert list(tmp_path.iterdir()) == []


def test_everything_is_built_once(tmp_path: Path) -> None:
    container = build_container(Settings(default_model="fake/echo", model_cache_dir=tmp_path))
    assert container.cortex() is container.cortex()
    assert container.cortex().generate_text is container.generate_text()


def test_a_model_below_fake_chooses_the_fake_adapters() -> None:
    container: CortexContainer = build_container(Settings(default_model="fake/parrot"))
    assert isinstance(container.adapters.text_generator(), FakeTextGenerator)
    assert container.cortex().default_model == ModelId("fake/parrot")


async def test_an_opened_cortex_is_closed_also_when_the_block_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_cortex(Settings(default_model="starter")) as cortex:
            assert cortex.engine_monitor.status().failure is None
            raise ZeroDivisionError
    assert cortex.engine_monitor.status().failure is not None
