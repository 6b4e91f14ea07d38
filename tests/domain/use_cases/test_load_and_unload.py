import pytest

from cortex_domain.errors import InvalidRequestError, ModelNotDownloadedError, ModelNotFoundError
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
async def test_unloads_by_any_name(name: str) -> None:
    wired = wire()
    await wired.load(HERE.id)
    await wired.unload(name)
    await wired.unload(name)
    assert not wired.loader.loaded()


async def test_unloading_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelNotFoundError):
        await wire().unload("fake/nobody")
