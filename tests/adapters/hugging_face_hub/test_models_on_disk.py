import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_adapters.hugging_face_hub import CATALOGUE, HuggingFaceModelStore
from cortex_domain.errors import (
    InvalidModelError,
    InvalidRequestError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    StorageError,
)
from cortex_domain.event_stream import collect_pull
from cortex_domain.events import PullFinished
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState
from tests.adapters.hugging_face_hub.conftest import OpenStore
from tests.adapters.hugging_face_hub.local_hub import NEEDED, WEIGHTS, LocalHub, make_model, make_safetensors

TINY = ModelId("someone/tiny")
LISTED = ModelDescriptor(
    id=TINY,
    aliases=("tiny",),
    state=ModelState.AVAILABLE,
    size_bytes=1,
    memory_bytes=2,
    context_window=3,
    quantization="8-bit",
    description="Small.",
)


async def pull(store: HuggingFaceModelStore) -> PullFinished:
    async with store.pull(TINY) as events:
        return await collect_pull(events)


def copy_by_hand(cache_dir: Path, **changes: bytes | None) -> Path:
    """Puts a model into the cache as a person would; None leaves a file out."""
    directory = cache_dir / "someone--tiny"
    directory.mkdir(parents=True)
    files = {name: content for name, content in make_model().items() if name in NEEDED} | changes
    for name, content in files.items():
        if content is not None:
            (directory / name).write_bytes(content)
    return directory


def everything_below(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*"))


def link(path: Path, target: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(target)


async def test_the_catalogue_is_listed_without_a_cache(cache_dir: Path) -> None:
    store = HuggingFaceModelStore(cache_dir=cache_dir)

    models = await store.list_models()

    assert [model.id for model in models] == sorted(entry.id for entry in CATALOGUE)
    assert {model.state for model in models} == {ModelState.AVAILABLE}
    assert everything_below(cache_dir.parent) == []


async def test_what_is_on_disk_is_listed_with_its_own_figures(hub: LocalHub, open_store: OpenStore) -> None:
    hub.publish(TINY, make_model())
    store = open_store(LISTED)
    finished = await pull(store)

    (model,) = await store.list_models()

    assert model == await store.describe("tiny") == await store.describe(TINY)
    assert (model.state, model.size_bytes) == (ModelState.DOWNLOADED, finished.size_bytes)
    assert (model.context_window, model.quantization) == (2048, "4-bit")
    assert (model.memory_bytes, model.description) == (2, "Small.")


async def test_an_unknown_name_brings_the_nearest(open_store: OpenStore) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        await open_store(LISTED).describe("someone/tinny")
    assert caught.value.nearest == (TINY,)


@pytest.mark.parametrize("name", ["..", "../someone", "a/b/c", ""])
async def test_a_name_that_leads_elsewhere_is_refused_by_every_method(store: HuggingFaceModelStore, name: str) -> None:
    for method in (store.describe, store.locate, store.delete):
        with pytest.raises(InvalidRequestError):
            await method(ModelId(name))


async def test_a_model_copied_by_hand_is_downloaded(store: HuggingFaceModelStore, cache_dir: Path) -> None:
    directory = copy_by_hand(cache_dir)

    files = await store.locate(TINY)

    assert (files.directory, files.revision) == (directory, None)
    assert files.size_bytes == sum(path.stat().st_size for path in directory.iterdir())
    assert [model.state for model in await store.list_models()] == [ModelState.DOWNLOADED]
    assert (await pull(store)).size_bytes == files.size_bytes


@pytest.mark.parametrize(
    "changes",
    [
        {WEIGHTS: None},
        {WEIGHTS: b""},
        {WEIGHTS: b"\xff" * 100},
        {WEIGHTS: make_safetensors(1000)[:-1]},
        {"tokenizer.json": None},
        {"config.json": b"{}"},
        {"config.json": b"{"},
        {"model.safetensors.index.json": json.dumps({"weight_map": {"a": "model-2.safetensors"}}).encode()},
    ],
)
async def test_a_model_copied_in_part_is_not_downloaded(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path, changes: dict[str, bytes | None]
) -> None:
    directory = copy_by_hand(cache_dir, **changes)
    hub.publish(TINY, make_model())

    with pytest.raises(InvalidModelError):
        await store.locate(TINY)
    assert (await store.describe(TINY)).state is ModelState.AVAILABLE
    with pytest.raises(StorageError, match="in the way"):
        await pull(store)
    assert directory.exists()


async def test_other_things_in_the_cache_are_no_models(store: HuggingFaceModelStore, cache_dir: Path) -> None:
    (cache_dir / "notes").mkdir(parents=True)
    (cache_dir / "not a name").mkdir()
    (cache_dir / "file").touch()

    assert await store.list_models() == []
    with pytest.raises(ModelNotFoundError):
        await store.locate(ModelId("notes"))


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"short")])
async def test_a_damaged_model_is_mended_by_a_pull(
    hub: LocalHub, store: HuggingFaceModelStore, damage: Callable[[Path], object]
) -> None:
    hub.publish(TINY, make_model())
    finished = await pull(store)
    damage(Path((await store.locate(TINY)).directory) / "tokenizer.json")

    with pytest.raises(InvalidModelError, match=r"tokenizer\.json"):
        await store.locate(TINY)
    assert (await store.describe(TINY)).state is ModelState.AVAILABLE
    hub.requests.clear()
    if damage is Path.unlink:
        assert await pull(store) == finished
        assert WEIGHTS not in hub.requested_files()
    else:
        with pytest.raises(InvalidModelError, match="altered"):
            await pull(store)
        assert await pull(store) == finished


async def test_a_damaged_model_gives_way_to_a_pull_that_was_begun(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path
) -> None:
    hub.publish(TINY, make_model())
    gate = hub.hold(WEIGHTS, after_bytes=8192)
    async with store.pull(TINY):
        await asyncio.to_thread(gate.reached.wait, 10)
        shutil.copytree(cache_dir / ".partial" / "someone--tiny", cache_dir / "someone--tiny")
    gate.opened.set()

    with pytest.raises(InvalidModelError):
        await store.locate(TINY)
    await pull(store)

    assert (await store.describe(TINY)).state is ModelState.DOWNLOADED


async def test_a_half_pulled_model_is_known_and_can_be_deleted(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path
) -> None:
    hub.publish(TINY, make_model())
    gate = hub.hold(WEIGHTS, after_bytes=8192)
    async with store.pull(TINY):
        await asyncio.to_thread(gate.reached.wait, 10)

    with pytest.raises(ModelNotDownloadedError):
        await store.locate(TINY)
    assert (await store.describe(TINY)).size_bytes == sum(len(make_model()[name]) for name in NEEDED)
    await store.delete(TINY)
    assert await store.list_models() == []
    assert everything_below(cache_dir) == [cache_dir / ".partial"]


async def test_a_deleted_model_leaves_nothing(hub: LocalHub, open_store: OpenStore, cache_dir: Path) -> None:
    hub.publish(TINY, make_model())
    store = open_store(LISTED)
    await pull(store)

    await store.delete(TINY)
    await store.delete(TINY)

    assert everything_below(cache_dir) == [cache_dir / ".partial"]
    assert await store.list_models() == [LISTED]


async def test_deleting_an_unknown_model_is_refused(store: HuggingFaceModelStore) -> None:
    with pytest.raises(ModelNotFoundError):
        await store.delete(TINY)


async def test_a_link_is_removed_and_its_target_kept(
    store: HuggingFaceModelStore, cache_dir: Path, tmp_path: Path
) -> None:
    target = copy_by_hand(tmp_path / "elsewhere")
    link(cache_dir / "someone--tiny", target)
    assert (await store.describe(TINY)).state is ModelState.DOWNLOADED

    await store.delete(TINY)

    assert await store.list_models() == []
    assert (target / WEIGHTS).exists()


async def test_a_model_is_not_deleted_under_its_download(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    hub.publish(TINY, make_model())
    gate = hub.hold(WEIGHTS, after_bytes=8192)

    async with store.pull(TINY) as events:
        await asyncio.to_thread(gate.reached.wait, 10)
        with pytest.raises(StorageError, match="is being downloaded"):
            await store.delete(TINY)
        gate.opened.set()
        await collect_pull(events)

    assert (await store.describe(TINY)).state is ModelState.DOWNLOADED
