"""What the hub can do wrong, and what a person is told about it."""

import errno
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from huggingface_hub import constants

from cortex_adapters.hugging_face_hub import HuggingFaceModelStore
from cortex_adapters.hugging_face_hub.growing_file import GrowingFile
from cortex_domain.errors import (
    CortexError,
    InvalidModelError,
    ModelAccessDeniedError,
    ModelDownloadError,
    ModelNotFoundError,
    StorageError,
)
from cortex_domain.event_stream import collect_pull
from cortex_domain.language_models import ModelId, ModelState
from tests.adapters.hugging_face_hub.conftest import OpenStore
from tests.adapters.hugging_face_hub.local_hub import (
    NEEDED,
    WEIGHTS,
    Fault,
    LocalHub,
    make_model,
    make_safetensors,
)

TINY = ModelId("someone/tiny")
INDEX = "model.safetensors.index.json"


async def refusal_on_entering(store: HuggingFaceModelStore) -> CortexError:
    with pytest.raises(CortexError) as caught:
        async with store.pull(TINY):
            pytest.fail("entered")
    return caught.value


async def failure_while_pulling(store: HuggingFaceModelStore) -> CortexError:
    async with store.pull(TINY) as events:
        with pytest.raises(CortexError) as caught:
            await collect_pull(events)
    assert (await store.describe(TINY)).state is ModelState.AVAILABLE
    return caught.value


def files_below(directory: Path) -> set[str]:
    """Finds the names of all visible files, wherever they are."""
    return {path.name for path in directory.rglob("*") if path.is_file() and not path.name.startswith(".")}


def without(*names: str) -> dict[str, bytes]:
    return {name: content for name, content in make_model().items() if name not in names}


def config(**values: object) -> dict[str, bytes]:
    return make_model() | {"config.json": json.dumps(values).encode()}


def sharded(*shards: str) -> dict[str, bytes]:
    index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    return without(WEIGHTS) | {INDEX: json.dumps(index).encode()} | {name: make_safetensors(1000) for name in shards}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (without("config.json"), "no config.json"),
        (without(WEIGHTS), "no safetensors weights"),
        (without("tokenizer.json"), "no tokenizer"),
        (config(architectures=["UNet"]), "names no model_type"),
        (config(model_type="x", model_file="evil.py"), r"own Python code \(evil.py\)"),
        (make_model() | {"config.json": b"{"}, "cannot be understood"),
        (make_model() | {"config.json": b"[" * 200_000}, "cannot be understood"),
        (make_model() | {INDEX: b"[]"}, "cannot be understood"),
        (sharded("model-1-of-2.safetensors"), "missing are model-2-of-2.safetensors"),
    ],
)
async def test_a_repository_that_is_no_model_is_refused_on_entering(
    hub: LocalHub, store: HuggingFaceModelStore, files: Mapping[str, bytes], reason: str
) -> None:
    hub.publish(TINY, files)

    refusal = await refusal_on_entering(store)

    assert isinstance(refusal, InvalidModelError)
    with pytest.raises(InvalidModelError, match=reason):
        raise refusal
    assert set(hub.requested_files()) <= {"config.json", INDEX}


async def test_a_sharded_model_is_pulled_whole(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    hub.publish(TINY, sharded("model-1-of-2.safetensors", "model-2-of-2.safetensors"))

    async with store.pull(TINY) as events:
        await collect_pull(events)

    assert (await store.describe(TINY)).state is ModelState.DOWNLOADED


async def test_a_file_without_checksum_is_refused(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    siblings = [{"rfilename": name, "size": 2} for name in NEEDED]
    hub.answer_about_model = json.dumps({"id": TINY, "sha": "0" * 40, "siblings": siblings}).encode()

    assert isinstance(await refusal_on_entering(store), InvalidModelError)


async def test_a_file_listed_twice_is_one_file(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    hub.publish(TINY, make_model())
    answer = json.loads(hub.describe(TINY) or b"")
    hub.answer_about_model = json.dumps(answer | {"siblings": answer["siblings"] * 2}).encode()

    async with store.pull(TINY) as events:
        await collect_pull(events)

    assert sorted(hub.requested_files()) == sorted([*NEEDED, "config.json"])


HOSTILE = ("../escaped.json", "/tmp/escaped.json", "..\\escaped.json", "C:escaped.json", "a/../../escaped.json", "..")


async def test_no_file_name_leads_out_of_the_cache(hub: LocalHub, store: HuggingFaceModelStore, tmp_path: Path) -> None:
    hub.publish(TINY, make_model() | dict.fromkeys(HOSTILE, b"{}"))

    async with store.pull(TINY) as events:
        await collect_pull(events)

    assert set(hub.requested_files()) == NEEDED
    assert files_below(tmp_path) == NEEDED


@pytest.mark.parametrize("subject", ["api", "config.json"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=401), ModelAccessDeniedError),
        (Fault(status=403), ModelAccessDeniedError),
        (Fault(status=403, headers={"X-Error-Code": "GatedRepo"}), ModelAccessDeniedError),
        (Fault(status=404), ModelNotFoundError),
        (Fault(status=500), ModelDownloadError),
        (Fault(status=503), ModelDownloadError),
    ],
)
async def test_a_status_on_entering_says_who_can_act(
    hub: LocalHub, store: HuggingFaceModelStore, subject: str, fault: Fault, expected: type[CortexError]
) -> None:
    hub.publish(TINY, make_model())
    hub.fail(subject, fault)

    assert type(await refusal_on_entering(store)) is expected


async def test_a_model_that_the_hub_does_not_have_is_not_found(store: HuggingFaceModelStore) -> None:
    assert isinstance(await refusal_on_entering(store), ModelNotFoundError)


@pytest.mark.parametrize(
    ("headers", "retry_after_s"),
    [
        ({"Retry-After": "120"}, 120),
        ({"RateLimit": '"api";r=0;t=55'}, 55),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
async def test_too_many_requests_say_when_to_come_back(
    hub: LocalHub, store: HuggingFaceModelStore, headers: Mapping[str, str], retry_after_s: float | None
) -> None:
    hub.publish(TINY, make_model())
    hub.fail("api", Fault(status=429, headers=headers))

    refusal = await refusal_on_entering(store)

    assert isinstance(refusal, ModelDownloadError)
    assert refusal.retry_after_s == retry_after_s


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_a_status_in_the_middle_ends_the_pull(hub: LocalHub, store: HuggingFaceModelStore, status: int) -> None:
    hub.publish(TINY, make_model())
    hub.fail(WEIGHTS, Fault(status=status, headers={"X-Error-Code": "EntryNotFound"} if status == 404 else {}))

    assert isinstance(await failure_while_pulling(store), ModelDownloadError)


@pytest.mark.parametrize("file", [WEIGHTS, "tokenizer.json"])
async def test_a_file_that_arrives_altered_is_refused_and_removed(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path, file: str
) -> None:
    files = make_model()
    hub.publish(TINY, files)
    hub.fail(file, Fault(content=bytes(len(files[file]))))

    failure = await failure_while_pulling(store)

    assert isinstance(failure, InvalidModelError)
    assert file in failure.reason
    assert file not in files_below(cache_dir)


async def test_an_altered_file_is_fetched_anew_by_the_next_pull(
    hub: LocalHub, store: HuggingFaceModelStore, cache_dir: Path
) -> None:
    files = make_model()
    hub.publish(TINY, files)
    hub.fail(WEIGHTS, Fault(content=bytes(len(files[WEIGHTS]))), Fault())
    await failure_while_pulling(store)

    async with store.pull(TINY) as events:
        await collect_pull(events)

    assert (cache_dir / "someone--tiny" / WEIGHTS).read_bytes() == files[WEIGHTS]


async def test_a_file_that_does_not_end_is_refused(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    files = make_model()
    hub.publish(TINY, files)
    hub.fail(WEIGHTS, Fault(content=bytes(len(files[WEIGHTS]) + 100_000)))

    assert isinstance(await failure_while_pulling(store), InvalidModelError)


async def test_a_hub_that_keeps_cutting_without_a_byte_is_given_up(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    hub.publish(TINY, make_model())
    hub.fail(WEIGHTS, Fault(cut_after=0))

    failure = await failure_while_pulling(store)

    assert isinstance(failure, ModelDownloadError)
    assert len(hub.ranges(WEIGHTS)) == 5


async def test_a_file_that_ends_early_is_not_taken_for_whole(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    files = make_model()
    hub.publish(TINY, files)
    hub.fail(WEIGHTS, Fault(content=files[WEIGHTS][:1000]))

    assert isinstance(await failure_while_pulling(store), ModelDownloadError)
    assert hub.ranges(WEIGHTS) == [None, *["bytes=1000-"] * 5]


async def test_a_small_file_without_end_is_not_read_into_memory(
    hub: LocalHub, store: HuggingFaceModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(TINY, make_model())
    monkeypatch.setattr("cortex_adapters.hugging_face_hub.hub._SMALL_FILE_BYTES", 10)

    refusal = await refusal_on_entering(store)

    assert isinstance(refusal, ModelDownloadError)
    assert "does not end" in refusal.message


async def test_a_hub_that_cannot_be_reached_says_what_to_check(open_store: OpenStore) -> None:
    with LocalHub().running() as gone:
        address = gone.url

    refusal = await refusal_on_entering(open_store(endpoint=address))

    assert isinstance(refusal, ModelDownloadError)
    assert address in refusal.message
    assert "Check the network" in refusal.message


@pytest.mark.parametrize("answer", [b"<html>log in</html>", b"[]", b"{}", b'{"id": "someone/tiny"}'])
async def test_an_endpoint_that_is_no_hub_is_named(hub: LocalHub, store: HuggingFaceModelStore, answer: bytes) -> None:
    hub.answer_about_model = answer

    refusal = await refusal_on_entering(store)

    assert isinstance(refusal, ModelDownloadError)
    assert "HF_ENDPOINT" in refusal.message


async def test_offline_mode_is_named(
    hub: LocalHub, store: HuggingFaceModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(TINY, make_model())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    refusal = await refusal_on_entering(store)

    assert isinstance(refusal, ModelDownloadError)
    assert "HF_HUB_OFFLINE" in refusal.message
    assert hub.requests == []


async def test_an_id_that_the_hub_forbids_is_not_found(store: HuggingFaceModelStore) -> None:
    with pytest.raises(ModelNotFoundError):
        async with store.pull(ModelId("someone/tiny.git")):
            pytest.fail("entered")


async def test_a_disk_that_fills_up_is_named(
    hub: LocalHub, store: HuggingFaceModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(TINY, make_model())

    def fail(_: GrowingFile, __: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(GrowingFile, "append", fail)

    failure = await failure_while_pulling(store)

    assert isinstance(failure, StorageError)
    assert "The disk is full" in failure.message


@pytest.fixture
def file_in_place_of_cache(cache_dir: Path) -> None:
    cache_dir.write_text("in the way")


@pytest.mark.usefixtures("file_in_place_of_cache")
async def test_a_cache_that_is_no_directory_is_named(hub: LocalHub, store: HuggingFaceModelStore) -> None:
    hub.publish(TINY, make_model())

    refusal = await refusal_on_entering(store)

    assert isinstance(refusal, StorageError)
    assert "MODEL_CACHE_DIR" in refusal.message


@pytest.mark.usefixtures("file_in_place_of_cache")
async def test_a_cache_that_cannot_be_read_is_named(store: HuggingFaceModelStore) -> None:
    with pytest.raises(StorageError, match="MODEL_CACHE_DIR"):
        await store.list_models()
