"""One pull: a plan made from the hub's listing, then the plan carried out file by file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from cortex_adapters.hugging_face_hub.file_selection import CONFIG, select_files
from cortex_adapters.hugging_face_hub.growing_file import GrowingFile
from cortex_adapters.hugging_face_hub.hub import HubConnection, Repository
from cortex_adapters.hugging_face_hub.manifest import Manifest, ManifestFile
from cortex_adapters.hugging_face_hub.model_cache import ModelCache
from cortex_adapters.hugging_face_hub.model_config import parse_model_config
from cortex_adapters.hugging_face_hub.uninterrupted import run_to_end
from cortex_adapters.hugging_face_hub.weights import WEIGHTS_INDEX, missing_weights
from cortex_domain.errors import InvalidModelError
from cortex_domain.language_models import ModelId

_FRUITLESS_ATTEMPTS = 5


class ModelPull:
    """Brings one model from the hub to the cache.

    Args:
        retry_pause_s: Pause before a connection that broke is opened again, in seconds; 0 or more.

    Attributes:
        is_fetched: Whether every file is here and checked.
        wanted: To be set when the model may have its name.
    """

    def __init__(self, *, hub: HubConnection, cache: ModelCache, retry_pause_s: float) -> None:
        self._hub = hub
        self._cache = cache
        self._retry_pause_s = retry_pause_s
        self.is_fetched = False
        self.wanted = asyncio.Event()

    async def plan(self, model_id: ModelId) -> Manifest:
        """Decides what to fetch, at the commit that the main branch has now.

        The small files that tell what a model is are read here, so that one that is refused, by the hub or for what
        it is, costs nothing.

        Raises:
            InvalidModelError: The repository is no model that MLX reads.
        """
        repository = await self._hub.find(model_id)
        files = select_files(model_id, repository.listing)
        try:
            objection = await self._objection(repository, {file.name for file in files})
        except ValueError as exc:
            raise InvalidModelError(model_id=model_id, reason=f"a file cannot be understood ({exc})") from exc
        if objection is not None:
            raise InvalidModelError(model_id=model_id, reason=objection)
        return Manifest(model_id=model_id, revision=repository.revision, files=files)

    async def carry_out(self, manifest: Manifest) -> None:
        """Fetches what is not here yet and, once it is `wanted`, gives the model its name.

        Waits for a pull that is at it already.
        """
        model_id = ModelId(manifest.model_id)
        async with self._cache.locked(model_id, wait=True):
            if await run_to_end(self._cache.find_complete, model_id) is not None:
                return
            partial = await run_to_end(self._cache.begin, manifest)
            for file in manifest.files:
                async with _opened(partial.path(file), file) as growing:
                    await self._complete(growing, manifest)
            self.is_fetched = True
            await self.wanted.wait()
            await run_to_end(self._cache.publish, model_id)

    async def _objection(self, repository: Repository, names: set[str]) -> str | None:
        config = parse_model_config(await self._hub.read(repository, CONFIG))
        if config.model_type is None:
            return f"its {CONFIG} names no model_type, so it is not a language model"
        if config.code_file is not None:
            return f"it needs its own Python code ({config.code_file}), which is never run"
        if WEIGHTS_INDEX not in names:
            return None
        absent = missing_weights(await self._hub.read(repository, WEIGHTS_INDEX), names)
        return f"its weights are not all there, missing are {', '.join(absent)}" if absent else None

    async def _complete(self, growing: GrowingFile, manifest: Manifest) -> None:
        while await run_to_end(growing.read_next_step):
            pass
        fruitless = 0
        while growing.missing_bytes:
            missing_before = growing.missing_bytes
            try:
                await self._receive(growing, manifest)
            except httpx2.TransportError:
                fruitless = fruitless + 1 if growing.missing_bytes >= missing_before else 0
                if fruitless == _FRUITLESS_ATTEMPTS:
                    raise
                await asyncio.sleep(self._retry_pause_s)
        await run_to_end(growing.check)

    async def _receive(self, growing: GrowingFile, manifest: Manifest) -> None:
        source = ModelId(manifest.model_id), manifest.revision, growing.file.name
        async with self._hub.open(*source, start=growing.received_bytes) as response:
            if response.status_code != httpx2.codes.PARTIAL_CONTENT:
                await run_to_end(growing.restart)
            async for data in response.aiter_bytes():
                await run_to_end(growing.append, data)
        if growing.missing_bytes:
            raise httpx2.RemoteProtocolError("the answer ended early")


@asynccontextmanager
async def _opened(path: Path, file: ManifestFile) -> AsyncIterator[GrowingFile]:
    growing = GrowingFile(path, file)
    try:
        await run_to_end(growing.open)
        yield growing
    finally:
        await run_to_end(growing.close)
