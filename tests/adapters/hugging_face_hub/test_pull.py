import asyncio
import shutil
from pathlib import Path

import pytest

from cortex_adapters.hugging_face_hub import HuggingFaceModelStore
from cortex_domain.errors import InsufficientStorageError, InvalidRequestError, ModelDownloadError
from cortex_domain.event_stream import collect_pull
from cortex_domain.events import PullEvent, PullFinished, PullProgress, PullStarted
from cortex_domain.language_models import ModelId, ModelState
from tests.adapters.hugging_face_hub.conftest import OpenStore
from tests.adapters.hugging_face_hub.local_hub import NEEDED, WEIGHTS, Fault, Gate, LocalHub, make_model

TINY = ModelId("someone/tiny")
HELD = 65536
BESIDE_WEIGHTS = sum(len(content) for name, content in make_model().items() if name in NEEDED - {WEIGHTS})


async def pull(store: HuggingFaceModelStore) -> PullFinished:
    async with store.pull(TINY) as events:
        return await collect_pull(events)


async def pull_in_part(hub: LocalHub, store: HuggingFaceModelStore) -> Gate:
    """Pulls all but the weights and their first bytes, and leaves."""
    gate = hub.hold(WEIGHTS, after_bytes=HELD)
    async with store.pull(TINY) as events:
        async for event in events:
            if isinstance(event, PullProgress) and event.completed_bytes == BESIDE_WEIGHTS + HELD:
                break
    gate.opened.set()
    return gate


async def reached(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.reached.wait, 10)


async def test_what_a_model_needs_is_fetched_and_nothing_else(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path
) -> None:
    files = make_model()
    hub.publish(TINY, files)

    await pull(store)

    assert set(hub.requested_files()) == NEEDED
    directory = cache_dir / "someone--tiny"
    visible = {path.name: path.read_bytes() for path in directory.iterdir() if not path.name.startswith(".")}
    assert visible == {name: files[name] for name in NEEDED}


async def test_a_pulled_model_is_located_and_described(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path
) -> None:
    files = make_model()
    commit = hub.publish(TINY, files)
    size_bytes = sum(len(files[name]) for name in NEEDED)

    finished = await pull(store)

    located = await store.locate(TINY)
    assert located.directory == cache_dir / "someone--tiny"
    assert (located.revision, located.size_bytes) == (finished.revision, finished.size_bytes) == (commit, size_bytes)
    descriptor = await store.describe(TINY)
    assert descriptor.state is ModelState.DOWNLOADED
    assert (descriptor.size_bytes, descriptor.context_window, descriptor.quantization) == (size_bytes, 2048, "4-bit")
    assert descriptor.memory_bytes == round(1.2 * len(files[WEIGHTS]))


async def test_progress_is_told_while_bytes_arrive(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    files = make_model()
    hub.publish(TINY, files)
    gate = hub.hold(WEIGHTS, after_bytes=HELD)
    seen: list[PullEvent] = []

    async with store.pull(TINY) as events:
        async for event in events:
            seen.append(event)
            if isinstance(event, PullProgress) and event.completed_bytes == BESIDE_WEIGHTS + HELD:
                assert not gate.opened.is_set()
                gate.opened.set()

    started, *progress, finished = seen
    assert gate.opened.is_set()
    assert isinstance(started, PullStarted)
    assert started.total_bytes == BESIDE_WEIGHTS + len(files[WEIGHTS])
    assert isinstance(progress[-1], PullProgress)
    assert progress[-1].completed_bytes == progress[-1].total_bytes == started.total_bytes
    assert isinstance(finished, PullFinished)


async def test_the_revision_stays_the_one_of_the_beginning(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path
) -> None:
    earlier = make_model(seed=1)
    commit = hub.publish(TINY, earlier)

    async with store.pull(TINY) as events:
        hub.publish(TINY, make_model(seed=2))
        finished = await collect_pull(events)

    assert finished.revision == commit
    assert (cache_dir / "someone--tiny" / WEIGHTS).read_bytes() == earlier[WEIGHTS]


async def test_a_downloaded_model_is_not_asked_for_again(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    hub.publish(TINY, make_model())
    first = await pull(store)
    hub.requests.clear()

    assert await pull(store) == first
    assert hub.requests == []


async def test_a_cut_is_mended_within_the_pull(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    files = make_model()
    hub.publish(TINY, files)
    hub.fail(WEIGHTS, *[Fault(cut_after=80_000)] * 2, Fault())

    await pull(store)

    assert hub.ranges(WEIGHTS) == [None, "bytes=80000-", "bytes=160000-"]
    assert hub.sent_bytes(WEIGHTS) == len(files[WEIGHTS])


async def test_a_later_pull_fetches_only_the_rest(hub: LocalHub, open_store: OpenStore, cache_dir: Path) -> None:
    files = make_model()
    hub.publish(TINY, files)
    hub.fail(WEIGHTS, Fault(cut_after=80_000), Fault(cut_after=0))
    with pytest.raises(ModelDownloadError, match="what has arrived is kept"):
        await pull(open_store())
    assert (await open_store().describe(TINY)).state is ModelState.AVAILABLE
    assert (cache_dir / ".partial" / "someone--tiny" / WEIGHTS).stat().st_size == 80_000

    hub.fail(WEIGHTS, Fault())
    finished = await pull(open_store())

    assert finished.size_bytes == sum(len(files[name]) for name in NEEDED)
    assert hub.ranges(WEIGHTS)[-1] == "bytes=80000-"
    assert hub.sent_bytes(WEIGHTS) == len(files[WEIGHTS])


async def test_bytes_of_an_earlier_pull_count_as_progress(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    hub.publish(TINY, make_model())
    await pull_in_part(hub, store)

    async with store.pull(TINY) as events:
        progress = [event async for event in events if isinstance(event, PullProgress)]

    assert progress[0].completed_bytes >= BESIDE_WEIGHTS + HELD


async def test_a_new_revision_keeps_the_files_that_are_the_same(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    files = make_model()
    hub.publish(TINY, files)
    await pull_in_part(hub, store)

    commit = hub.publish(TINY, files | {"tokenizer_config.json": b'{"new": 1}'})
    finished = await pull(store)

    assert finished.revision == commit
    assert hub.ranges(WEIGHTS) == [None, f"bytes={HELD}-"]


async def test_a_new_revision_never_mixes_with_the_old_one(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path
) -> None:
    hub.publish(TINY, make_model(seed=1))
    await pull_in_part(hub, store)

    files = make_model(seed=2)
    hub.publish(TINY, files)
    await pull(store)

    assert hub.ranges(WEIGHTS) == [None, None]
    assert (cache_dir / "someone--tiny" / WEIGHTS).read_bytes() == files[WEIGHTS]


async def test_a_hub_that_ignores_ranges_is_read_from_the_start(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path
) -> None:
    files = make_model()
    hub.publish(TINY, files)
    await pull_in_part(hub, store)
    hub.fail(WEIGHTS, Fault(ignores_range=True))

    await pull(store)

    assert (cache_dir / "someone--tiny" / WEIGHTS).read_bytes() == files[WEIGHTS]


async def test_leaving_stops_the_download(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    files = make_model(weights_bytes=20_000_000)
    hub.publish(TINY, files)

    gate = await pull_in_part(hub, store)

    assert await asyncio.to_thread(gate.left.wait, 10)
    assert hub.sent_bytes(WEIGHTS) < len(files[WEIGHTS])
    assert (await store.describe(TINY)).state is ModelState.AVAILABLE


async def test_leaving_after_the_last_byte_and_before_the_end_leaves_no_model(
    hub: LocalHub, store: HuggingFaceModelStore
) -> None:
    hub.publish(TINY, make_model())

    async with store.pull(TINY) as events:
        async for event in events:
            if isinstance(event, PullProgress) and event.completed_bytes == event.total_bytes:
                break

    assert (await store.describe(TINY)).state is ModelState.AVAILABLE
    assert (await pull(store)).model == TINY
    assert hub.ranges(WEIGHTS) == [None]


async def test_leaving_before_the_first_event_leaves_nothing_running(
    hub: LocalHub, store: HuggingFaceModelStore
) -> None:
    hub.publish(TINY, make_model())
    running = asyncio.all_tasks()

    async with store.pull(TINY):
        pass

    assert asyncio.all_tasks() == running
    assert ModelState.DOWNLOADED not in {model.state for model in await store.list_models()}


@pytest.mark.parametrize("same_store", [True, False])
async def test_pulls_at_the_same_time_share_one_download(
    hub: LocalHub, open_store: OpenStore, *, same_store: bool
) -> None:
    files = make_model()
    hub.publish(TINY, files)
    first = open_store()
    second = first if same_store else open_store()

    finished = await asyncio.gather(pull(first), pull(second), pull(first))

    assert len(set(finished)) == 1
    assert hub.sent_bytes(WEIGHTS) == len(files[WEIGHTS])


async def test_a_pull_that_waits_tells_of_the_bytes_of_the_other(hub: LocalHub, open_store: OpenStore) -> None:
    hub.publish(TINY, make_model())
    gate = hub.hold(WEIGHTS, after_bytes=HELD)
    first = asyncio.create_task(pull(open_store()))
    await reached(gate)

    async with open_store().pull(TINY) as events:
        async for event in events:
            if isinstance(event, PullProgress) and event.completed_bytes >= HELD:
                gate.opened.set()

    assert gate.opened.is_set()
    await first


async def test_a_pull_goes_on_when_the_one_before_it_is_left(hub: LocalHub, open_store: OpenStore) -> None:
    files = make_model()
    hub.publish(TINY, files)
    gate = hub.hold(WEIGHTS, after_bytes=HELD)
    first = asyncio.create_task(pull(open_store()))
    await reached(gate)
    second = asyncio.create_task(pull(open_store()))

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.opened.set()

    assert (await second).size_bytes == sum(len(files[name]) for name in NEEDED)


async def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    hub: LocalHub, store: HuggingFaceModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_model()
    hub.publish(TINY, files)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 1000, 1000))

    with pytest.raises(InsufficientStorageError) as caught:
        async with store.pull(TINY):
            pytest.fail("entered")

    assert caught.value.required_bytes == sum(len(files[name]) for name in NEEDED)
    assert caught.value.available_bytes == 1000
    assert WEIGHTS not in hub.requested_files()


async def test_a_disk_needs_room_only_for_what_is_not_there_yet(
    hub: LocalHub, store: HuggingFaceModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_model()
    hub.publish(TINY, files)
    await pull_in_part(hub, store)
    rest = len(files[WEIGHTS]) - HELD
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - rest, rest))

    await pull(store)

    assert (await store.describe(TINY)).state is ModelState.DOWNLOADED


async def test_the_token_goes_to_the_hub_and_not_to_where_it_redirects(
    hub: LocalHub, store: HuggingFaceModelStore
) -> None:
    files = make_model()
    commit = hub.publish(TINY, files)
    with LocalHub().running() as storage:
        assert storage.publish(TINY, files) == commit
        hub.fail(WEIGHTS, Fault(redirect=storage.url))
        await pull(store)

    assert {request.headers["authorization"] for request in hub.requests} == {"Bearer hf_secret"}
    assert [request.file for request in storage.requests] == [WEIGHTS]
    assert "authorization" not in storage.requests[0].headers


async def test_requests_say_nothing_about_this_machine(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    hub.publish(TINY, make_model())

    await pull(store)

    assert {request.headers["user-agent"] for request in hub.requests} == {"cortex"}


@pytest.mark.parametrize("name", ["../tiny", "a/../b", "a//b", "", "a--b/c", "/etc"])
async def test_what_cannot_name_a_model_is_never_asked_for(
    hub: LocalHub, store: HuggingFaceModelStore, name: str
) -> None:
    with pytest.raises(InvalidRequestError):
        async with store.pull(ModelId(name)):
            pytest.fail("entered")
    assert hub.requests == []
