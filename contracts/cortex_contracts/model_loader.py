"""The contract of `cortex_domain.ports.ModelLoader`. Its harness serves the text generator's contract too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePath

import pytest

from cortex_contracts.checks import checks
from cortex_contracts.conversations import chat, first_delta
from cortex_contracts.text_generator import TextGeneratorHarness
from cortex_domain.errors import (
    InsufficientMemoryError,
    InvalidModelError,
    LoadOptionRefusedError,
    ModelLoadedOtherwiseError,
    ModelNotLoadedError,
)
from cortex_domain.events import GenerationEvent, GenerationFinished
from cortex_domain.language_models import LoadOptions, ModelFiles, ModelId
from cortex_domain.ports import ModelLoader

SOME_OPTIONS = LoadOptions(lora_weights=PurePath("no-such-directory"))
_TOLERANCE = 0.15
NEVER_LOADED = ModelId("nobody/never-loaded-this")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoaderHarness(TextGeneratorHarness):
    """What the contract needs beyond what the text generator's contract needs.

    The tests load and unload both models as they please.

    Attributes:
        other_files: A second model; may be the same directory under another id.
        invalid_files: Files that are no model that this adapter runs.
        oversized_files: A model that is too large for the memory; its weights need not be readable.
        options: Load options that the adapter honours for `files`; None when it honours none.
    """

    other_files: ModelFiles
    invalid_files: ModelFiles
    oversized_files: ModelFiles
    options: LoadOptions | None = None


@pytest.mark.asyncio
class ModelLoaderContract:
    """Subclass this and define a fixture `harness` that returns a `ModelLoaderHarness`."""

    @checks("model_loader.listed_until_unloaded")
    async def test_listed_until_unloaded(self, harness: ModelLoaderHarness) -> None:
        """Looks at the list after loading and after unloading."""
        await _unload_all(harness.loader)
        await harness.loader.load(harness.files)
        assert harness.files.model_id in _loaded_ids(harness.loader)
        await harness.loader.unload(harness.files.model_id)
        assert harness.files.model_id not in _loaded_ids(harness.loader)

    @checks("model_loader.describes_model")
    async def test_describes_model(self, harness: ModelLoaderHarness) -> None:
        """Compares what `load` returns with what the list has."""
        await _unload_all(harness.loader)
        model = await harness.loader.load(harness.files)
        assert model.id == harness.files.model_id
        assert model.memory_bytes > 0
        assert model.context_window > 0
        assert model in harness.loader.loaded()

    @checks("model_loader.loads_once")
    async def test_loads_once(self, harness: ModelLoaderHarness) -> None:
        """Loads twice in a row."""
        await _unload_all(harness.loader)
        first = await harness.loader.load(harness.files)
        assert await harness.loader.load(harness.files) == first
        assert _loaded_ids(harness.loader) == [harness.files.model_id]

    @checks("model_loader.keeps_options")
    async def test_keeps_options(self, harness: ModelLoaderHarness) -> None:
        """Loads with options, then takes the model as it is; or is refused."""
        await _unload_all(harness.loader)
        if harness.options is None:
            with pytest.raises(LoadOptionRefusedError) as caught:
                await harness.loader.load(harness.files, SOME_OPTIONS)
            assert caught.value.parameter in SOME_OPTIONS.given
            assert harness.files.model_id not in _loaded_ids(harness.loader)
        else:
            assert (await harness.loader.load(harness.files, harness.options)).options == harness.options
            assert (await harness.loader.load(harness.files)).options == harness.options

    @checks("model_loader.refuses_other_options")
    async def test_refuses_other_options(self, harness: ModelLoaderHarness) -> None:
        """Loads without options, then with some."""
        await _unload_all(harness.loader)
        await harness.loader.load(harness.files)
        with pytest.raises(ModelLoadedOtherwiseError) as caught:
            await harness.loader.load(harness.files, harness.options or SOME_OPTIONS)
        assert caught.value.model_id == harness.files.model_id
        assert (await harness.loader.load(harness.files)).options == LoadOptions()

    @checks("model_loader.shares_load")
    async def test_shares_load(self, harness: ModelLoaderHarness) -> None:
        """Loads three times at once."""
        await _unload_all(harness.loader)
        models = await asyncio.gather(*(harness.loader.load(harness.files) for _ in range(3)))
        assert models[0] == models[1] == models[2]
        assert _loaded_ids(harness.loader) == [harness.files.model_id]

    @checks("model_loader.lists_in_order")
    async def test_lists_in_order(self, harness: ModelLoaderHarness) -> None:
        """Loads two models in both orders."""
        for pair in (harness.files, harness.other_files), (harness.other_files, harness.files):
            await _unload_all(harness.loader)
            for files in pair:
                await harness.loader.load(files)
            assert _loaded_ids(harness.loader) == [files.model_id for files in pair]

    @checks("model_loader.unload_is_idempotent")
    async def test_unload_is_idempotent(self, harness: ModelLoaderHarness) -> None:
        """Unloads what was never loaded."""
        await harness.loader.load(harness.files)
        await harness.loader.unload(NEVER_LOADED)
        assert harness.files.model_id in _loaded_ids(harness.loader)

    @checks("model_loader.unload_frees_memory")
    async def test_unload_frees_memory(self, harness: ModelLoaderHarness) -> None:
        """Compares the memory in use before and after; a little may stay with the allocator."""
        await _unload_all(harness.loader)
        model = await harness.loader.load(harness.files)
        loaded_bytes = harness.monitor.status().active_memory_bytes
        await harness.loader.unload(model.id)
        assert loaded_bytes - harness.monitor.status().active_memory_bytes >= model.memory_bytes / 2

    @checks("model_loader.unload_ends_generations")
    async def test_unload_ends_generations(self, harness: ModelLoaderHarness) -> None:
        """Unloads the model while it answers and reads on."""
        await harness.loader.load(harness.files)
        async with _half_read(harness, harness.files) as events:
            await harness.loader.unload(harness.files.model_id)
            with pytest.raises(ModelNotLoadedError) as caught:
                await _read_on(events)
        assert caught.value.model_id == harness.files.model_id

    @checks("model_loader.unload_spares_others")
    async def test_unload_spares_others(self, harness: ModelLoaderHarness) -> None:
        """Unloads the model that does not answer."""
        await harness.loader.load(harness.files)
        await harness.loader.load(harness.other_files)
        async with _half_read(harness, harness.files, max_tokens=12) as events:
            await harness.loader.unload(harness.other_files.model_id)
            assert isinstance(await _read_on(events), GenerationFinished)

    @checks("model_loader.failed_load_leaves_nothing")
    async def test_failed_load_leaves_nothing(self, harness: ModelLoaderHarness) -> None:
        """Loads what is no model, then what is one."""
        await _unload_all(harness.loader)
        before = _loaded_ids(harness.loader)
        with pytest.raises(InvalidModelError):
            await harness.loader.load(harness.invalid_files)
        assert _loaded_ids(harness.loader) == before
        assert (await harness.loader.load(harness.files)).id == harness.files.model_id

    @checks("model_loader.refuses_what_does_not_fit")
    async def test_refuses_what_does_not_fit(self, harness: ModelLoaderHarness) -> None:
        """Loads what is too large beside a model that is loaded."""
        await _unload_all(harness.loader)
        await harness.loader.load(harness.files)
        with pytest.raises(InsufficientMemoryError) as caught:
            await harness.loader.load(harness.oversized_files)
        assert caught.value.model_id == harness.oversized_files.model_id
        assert caught.value.required_bytes > caught.value.available_bytes >= 0
        assert _loaded_ids(harness.loader) == [harness.files.model_id]

    @checks("model_loader.estimates_memory")
    async def test_estimates_memory(self, harness: ModelLoaderHarness) -> None:
        """Compares what the files tell with what was measured."""
        await _unload_all(harness.loader)
        estimate = await harness.loader.estimate_memory(harness.files)
        model = await harness.loader.load(harness.files)
        assert estimate == model.memory_estimate
        assert _are_near(estimate.weights_bytes, model.memory_bytes)
        assert _are_near(estimate.kv_cache_bytes_per_token, model.kv_cache_bytes_per_token)


def _are_near(estimated: int | None, measured: int | None) -> bool:
    """Compares what is known; an adapter need not know what a token takes."""
    return estimated is None or measured is None or estimated == pytest.approx(measured, rel=_TOLERANCE)


async def _unload_all(loader: ModelLoader) -> None:
    for model in loader.loaded():
        await loader.unload(model.id)


def _loaded_ids(loader: ModelLoader) -> list[ModelId]:
    return [model.id for model in loader.loaded()]


@asynccontextmanager
async def _half_read(
    harness: ModelLoaderHarness, files: ModelFiles, *, max_tokens: int = 200
) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
    async with harness.generator.generate_text(chat(files, max_tokens=max_tokens)) as events:
        await first_delta(events)
        yield events


async def _read_on(events: AsyncIterator[GenerationEvent]) -> GenerationEvent | None:
    last = None
    async for event in events:
        last = event
    return last
