"""Model store on the Hugging Face hub."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from cortex_adapters.hugging_face_hub.catalogue import CATALOGUE
from cortex_adapters.hugging_face_hub.error_translation import disk_errors, hub_errors
from cortex_adapters.hugging_face_hub.hub import connect, new_api
from cortex_adapters.hugging_face_hub.known_models import KnownModels
from cortex_adapters.hugging_face_hub.manifest import Manifest
from cortex_adapters.hugging_face_hub.model_cache import ModelCache
from cortex_adapters.hugging_face_hub.model_pull import ModelPull
from cortex_adapters.hugging_face_hub.uninterrupted import run_to_end
from cortex_domain.errors import InsufficientStorageError
from cortex_domain.events import PullEvent, PullFinished, PullProgress, PullStarted
from cortex_domain.language_models import ModelDescriptor, ModelFiles, ModelId, parse_model_id
from cortex_domain.ports import ModelStore

P = ParamSpec("P")
T = TypeVar("T")


class HuggingFaceModelStore(ModelStore):
    """Keeps models in one directory, laid out as `model_cache` tells. Only `pull` uses the network.

    Args:
        cache_dir: Directory of the models; made by the first pull.
        catalogue: Models to list although they are not here.
        endpoint: The hub's address; None for HF_ENDPOINT or, without that, the public hub.
        token: The hub's access token; None for HF_TOKEN or, without that, the login that huggingface_hub keeps.
        progress_interval_s: Time between two progress events, in seconds; above 0.
        retry_pause_s: Pause before a connection that broke is opened again, in seconds; 0 or more.
    """

    def __init__(
        self,
        *,
        cache_dir: Path,
        catalogue: Sequence[ModelDescriptor] = CATALOGUE,
        endpoint: str | None = None,
        token: str | None = None,
        progress_interval_s: float = 0.25,
        retry_pause_s: float = 1.0,
    ) -> None:
        self._api = new_api(endpoint=endpoint, token=token)
        self._cache = ModelCache(cache_dir)
        self._known = KnownModels(catalogue=catalogue, cache=self._cache)
        self._progress_interval_s = progress_interval_s
        self._retry_pause_s = retry_pause_s

    async def list_models(self) -> Sequence[ModelDescriptor]:
        """Lists the models on disk and those of the catalogue; a model that is not whole is listed as available."""
        return await _ask_disk(self._known.list)

    async def describe(self, name: str, /) -> ModelDescriptor:
        """Finds a model by its id or an alias."""
        return await _ask_disk(self._known.describe, name)

    async def locate(self, model_id: ModelId, /) -> ModelFiles:
        """Finds a model's files; names and sizes are compared, contents were when they arrived."""
        return await _ask_disk(self._known.locate, model_id)

    def pull(self, model_id: ModelId, /) -> AbstractAsyncContextManager[AsyncIterator[PullEvent]]:
        """Fetches a model's files as the main branch has them; a second pull meanwhile shows the first one's bytes."""
        return self._pull(model_id)

    async def delete(self, model_id: ModelId, /) -> None:
        """Removes a model's files, finished or not; of a link, the link and not what it points to."""
        await _ask_disk(self._known.require, model_id)
        with disk_errors():
            async with self._cache.locked(model_id, wait=False):
                await run_to_end(self._cache.remove, model_id)

    @asynccontextmanager
    async def _pull(self, model_id: ModelId) -> AsyncIterator[AsyncIterator[PullEvent]]:
        present = await _ask_disk(self._known.find_files, parse_model_id(model_id))
        if present is not None:
            yield _finish_at_once(present)
            return
        async with connect(self._api) as hub:
            pull = ModelPull(hub=hub, cache=self._cache, retry_pause_s=self._retry_pause_s)
            with hub_errors(model_id, endpoint=self._api.endpoint):
                manifest = await pull.plan(model_id)
                await asyncio.to_thread(self._require_space, manifest)
            task = asyncio.create_task(pull.carry_out(manifest))
            try:
                async with aclosing(self._follow(pull, manifest, task)) as events:
                    yield events
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _follow(
        self, pull: ModelPull, manifest: Manifest, task: asyncio.Task[None]
    ) -> AsyncGenerator[PullEvent, None]:
        """Tells what the disk shows until the task ends; so a pull that waits for another tells of its bytes too.

        A reader who is still here when all is fetched wants the model; one who left leaves no model.
        """
        model_id, total_bytes = ModelId(manifest.model_id), manifest.total_bytes
        yield PullStarted(model=model_id, revision=manifest.revision, total_bytes=total_bytes)
        completed_bytes = 0
        while not task.done():
            await asyncio.wait([task], timeout=self._progress_interval_s)
            on_disk = await _ask_disk(self._cache.partial(model_id).completed_bytes, manifest)
            if on_disk > completed_bytes:
                completed_bytes = on_disk
                yield PullProgress(completed_bytes=completed_bytes, total_bytes=total_bytes)
            if pull.is_fetched:
                pull.wanted.set()
        with hub_errors(model_id, endpoint=self._api.endpoint):
            await task
        if completed_bytes < total_bytes:
            yield PullProgress(completed_bytes=total_bytes, total_bytes=total_bytes)
        files = await self.locate(model_id)
        yield PullFinished(model=model_id, revision=files.revision, size_bytes=files.size_bytes)

    def _require_space(self, manifest: Manifest) -> None:
        model_id = ModelId(manifest.model_id)
        required_bytes = manifest.total_bytes - self._cache.partial(model_id).completed_bytes(manifest)
        available_bytes = self._cache.free_bytes()
        if required_bytes > available_bytes:
            raise InsufficientStorageError(
                model_id=model_id, required_bytes=required_bytes, available_bytes=available_bytes
            )


async def _ask_disk(question: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    with disk_errors():
        return await asyncio.to_thread(question, *args, **kwargs)


async def _finish_at_once(files: ModelFiles) -> AsyncIterator[PullEvent]:
    yield PullStarted(model=files.model_id, revision=files.revision, total_bytes=files.size_bytes)
    yield PullFinished(model=files.model_id, revision=files.revision, size_bytes=files.size_bytes)
