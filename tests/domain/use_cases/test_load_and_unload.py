from pathlib import PurePath

import pytest

from cortex_domain.errors import (
    InvalidRequestError,
    ModelLoadedOtherwiseError,
    ModelNotDownloadedError,
    ModelNotFoundError,
)
from cortex_domain.language_models import LoadOptions
from tests.domain.use_cases.wiring import ABSENT, HERE, wire


@pytest.mark.parametrize("name", [HERE.id, *HERE.aliases])
async def test_loads_by_any_name_once(name: str) -> None:
    wired = wire()
    first = await wired.load(name)
    assert first.id == HERE.id
    assert await wired.load(name) is first
    assert await wired.load(HERE.id) is first
    assert wired.loader.loaded() == (first,)


@pytest.mark.parametrize(
    ("name", "error"),
    [("fake/nobody", ModelNotFoundError), (ABSENT.id, ModelNotDownloadedError), ("../up", InvalidRequestError)],
)
async def test_refuses_to_load_what_is_not_here(name: str, error: type[Exception]) -> None:
    wired = wire()
    with pytest.raises(error):
        await wired.load(name)
    assert not wired.loader.loaded()


@pytest.mark.parametrize("name", [HERE.id, *HERE.aliases])
async def test_a_model_stays_as_it_was_loaded(name: str) -> None:
    wired = wire()
    loaded = await wired.load(name, lora_weights=PurePath("a"))
    assert loaded.options == LoadOptions(lora_weights=PurePath("a"))
    assert await wired.load(name, lora_weights=PurePath("a")) is loaded
    assert await wired.load(name) is loaded
    with pytest.raises(ModelLoadedOtherwiseError) as refusal:
        await wired.load(name, lora_weights=PurePath("b"))
    assert refusal.value.options == ("lora_weights",)
    with pytest.raises(ModelLoadedOtherwiseError) as refusal:
        await wired.load(name, kv_cache_bits=8)
    assert refusal.value.options == ("kv_cache_bits", "lora_weights")
    assert (await wired.describe(name)).lora_weights == PurePath("a")
    await wired.unload(name)
    assert (await wired.load(name)).options == LoadOptions()
    assert (await wired.describe(name)).lora_weights is None


async def test_a_draft_model_is_found_by_any_name_and_has_to_be_here() -> None:
    wired = wire()
    for name in (HERE.id, *HERE.aliases):
        loaded = await wired.load(HERE.id, draft_model=name)
        assert loaded.options.draft_model == await wired.store.locate(HERE.id)
    assert (await wired.describe(HERE.id)).draft_model == HERE.id
    await wired.unload(HERE.id)
    for name, error in ((ABSENT.id, ModelNotDownloadedError), ("fake/nobody", ModelNotFoundError)):
        with pytest.raises(error):
            await wired.load(HERE.id, draft_model=name)
    assert not wired.loader.loaded()
    assert (await wired.describe(HERE.id)).draft_model is None


async def test_an_option_that_is_none_is_refused() -> None:
    wired = wire()
    for bits in (0, 3, 16):
        with pytest.raises(InvalidRequestError) as refusal:
            await wired.load(HERE.id, kv_cache_bits=bits)
        assert refusal.value.parameter == "kv_cache_bits"
    assert not wired.loader.loaded()


@pytest.mark.parametrize("name", [HERE.id, *HERE.aliases])
async def test_unloads_by_any_name(name: str) -> None:
    wired = wire()
    await wired.load(HERE.id)
    await wired.unload(name)
    await wired.unload(name)
    assert not wired.loader.loaded()


async def test_unloading_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelNotFoundError):
        await wire().unload("fake/nobody")
