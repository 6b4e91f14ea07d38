import pytest

from cortex_adapters.combined import CombinedModelStore
from cortex_adapters.fake import FakeModelStore
from cortex_domain.errors import InvalidRequestError, ModelNotFoundError
from cortex_domain.event_stream import collect_pull
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState
from cortex_domain.ports import ModelStore


def model(name: str, *aliases: str, description: str = "") -> ModelDescriptor:
    return ModelDescriptor(
        id=ModelId(name), aliases=aliases, state=ModelState.AVAILABLE, size_bytes=1000, description=description
    )


async def pull(store: ModelStore, name: str) -> None:
    async with store.pull(ModelId(name)) as events:
        await collect_pull(events)


async def state(store: ModelStore, name: str) -> ModelState:
    return (await store.describe(name)).state


def test_a_combination_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        CombinedModelStore([])


async def test_models_are_listed_once_and_in_order() -> None:
    first = FakeModelStore([model("a/c", description="first"), model("a/a")])
    second = FakeModelStore([model("a/c", description="second"), model("a/b")])

    listed = await CombinedModelStore([first, second]).list_models()

    assert [descriptor.id for descriptor in listed] == ["a/a", "a/b", "a/c"]
    assert listed[-1].description == "first"


async def test_the_first_store_that_has_a_model_keeps_it() -> None:
    first, second = FakeModelStore([model("a/a")]), FakeModelStore([model("a/a"), model("a/b")])
    store = CombinedModelStore([first, second])

    await pull(store, "a/a")
    await pull(store, "a/b")
    assert await state(first, "a/a") is await state(second, "a/b") is ModelState.DOWNLOADED
    assert await state(second, "a/a") is ModelState.AVAILABLE
    assert (await store.locate(ModelId("a/b"))).model_id == "a/b"

    await store.delete(ModelId("a/a"))
    assert await state(first, "a/a") is ModelState.AVAILABLE


async def test_an_id_counts_more_than_an_alias_of_an_earlier_store() -> None:
    store = CombinedModelStore([FakeModelStore([model("a/a", "b")]), FakeModelStore([model("b")])])

    assert (await store.describe("b")).id == "b"


async def test_an_alias_finds_its_model() -> None:
    store = CombinedModelStore([FakeModelStore([model("a/a")]), FakeModelStore([model("a/b", "b")])])

    assert (await store.describe("b")).id == "a/b"


async def test_what_nobody_lists_is_pulled_from_the_last_store() -> None:
    first = FakeModelStore([model("a/a")], unlisted=[model("a/new")])
    last = FakeModelStore([model("a/b")], unlisted=[model("a/new")])

    await pull(CombinedModelStore([first, last]), "a/new")

    assert await state(last, "a/new") is ModelState.DOWNLOADED
    with pytest.raises(ModelNotFoundError):
        await first.describe("a/new")


async def test_an_unknown_name_brings_the_nearest_of_all_stores_best_first() -> None:
    store = CombinedModelStore([FakeModelStore([model("a/little")]), FakeModelStore([model("a/kitten")])])

    with pytest.raises(ModelNotFoundError) as caught:
        await store.describe("a/kittle")

    assert caught.value.nearest == ("a/little", "a/kitten")


@pytest.mark.parametrize("method", ["locate", "delete"])
async def test_an_unknown_model_is_refused(method: str) -> None:
    store = CombinedModelStore([FakeModelStore([model("a/a")])])
    with pytest.raises(ModelNotFoundError):
        await getattr(store, method)(ModelId("a/b"))


async def test_a_name_that_cannot_name_a_model_is_refused() -> None:
    store = CombinedModelStore([FakeModelStore([model("a/a")])])
    with pytest.raises(InvalidRequestError):
        await store.describe("../a")
    with pytest.raises(InvalidRequestError):
        await pull(store, "../a")
