import pytest

from cortex_domain.errors import InvalidRequestError, ModelInUseError, ModelNotFoundError
from cortex_domain.event_stream import collect_pull
from cortex_domain.language_models import ModelState
from tests.domain.use_cases.wiring import ABSENT, HERE, UNLISTED, wire


@pytest.mark.parametrize(
    ("name", "model"), [(ABSENT.id, ABSENT), ("absent", ABSENT), (HERE.id, HERE), (UNLISTED.id, UNLISTED)], ids=str
)
async def test_pulls_by_any_name_even_what_is_not_listed(name: str, model: object) -> None:
    wired = wire()
    async with wired.pull(name) as events:
        pulled = await collect_pull(events)
    found = await wired.store.describe(pulled.model)
    assert found.id == getattr(model, "id", None)
    assert found.state is ModelState.DOWNLOADED


@pytest.mark.parametrize(("name", "error"), [("fake/nobody", ModelNotFoundError), ("a/b/c", InvalidRequestError)])
async def test_refuses_to_pull_what_the_source_lacks(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await wire().pull(name).__aenter__()


async def test_deletes_by_alias() -> None:
    wired = wire()
    await wired.delete("here")
    assert (await wired.store.describe(HERE.id)).state is ModelState.AVAILABLE


async def test_does_not_delete_what_is_loaded() -> None:
    wired = wire()
    await wired.load(HERE.id)
    with pytest.raises(ModelInUseError) as caught:
        await wired.delete("here")
    assert caught.value.model_id == HERE.id
    assert (await wired.store.describe(HERE.id)).state is ModelState.DOWNLOADED
