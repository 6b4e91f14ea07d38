"""The starter model: a small one that arrives with a Python package, so that Cortex answers without a hub.

What the package holds is a GGUF file of 98 MB. A pull converts it, in a few seconds and without the network, into the
format that suits the device. Importing this module does not import MLX; the conversion has a process of its own.

On disk, beside the models of other stores and hidden from them:

    <cache_dir>/.starter/<format>-<checksum>-<conversion>/

A model whose files were cut or removed is listed as available; `locate` calls it damaged and a pull makes it anew. That
compares sizes: contents are not read again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from cortex_adapters.mlx.conversion_process import ConversionFailedError, converting
from cortex_adapters.mlx.converted_directory import ConvertedDirectory
from cortex_adapters.mlx.starter_wheel import STARTER_FILE, find_wheel_file
from cortex_adapters.mlx.weight_format import WeightFormat
from cortex_domain.errors import (
    InsufficientStorageError,
    InvalidModelError,
    ModelDownloadError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    StorageError,
)
from cortex_domain.events import PullEvent, PullFinished, PullProgress, PullStarted
from cortex_domain.language_models import (
    ModelDescriptor,
    ModelFiles,
    ModelId,
    ModelState,
    nearest_names,
    parse_model_id,
)
from cortex_domain.ports import ModelStore

STARTER_MODEL = ModelId("HuggingFaceTB/SmolLM2-135M-Instruct")
STARTER_ALIAS = "starter"

_CONTEXT_WINDOW = 8192
_CONVERSION = 1
"""Raised with every change of what a conversion writes, so that older ones are not mistaken for it."""
_CONVERTED_BYTES = {
    WeightFormat.FLOAT32: 540_000_000,
    WeightFormat.FOUR_BIT: 117_000_000,
}
"""Sizes on disk and in memory, rounded up to a million bytes."""

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class StarterModelStore(ModelStore):
    """Knows one model, and makes its files from an installed package.

    Args:
        cache_dir: Where models are kept; made when needed.
        weight_format: What the weights become. Each format has files of its own; a store sees those of its format.
    """

    def __init__(self, *, cache_dir: Path, weight_format: WeightFormat) -> None:
        self._weight_format = weight_format
        self._total_bytes = _CONVERTED_BYTES[weight_format]
        name = f"{weight_format}-{STARTER_FILE.sha256[:8]}-{_CONVERSION}"
        self._directory = ConvertedDirectory(cache_dir / ".starter" / name)

    async def list_models(self) -> Sequence[ModelDescriptor]:
        """Lists the one model."""
        return [await self._describe()]

    async def describe(self, name: str, /) -> ModelDescriptor:
        """Describes the model by its id or alias."""
        parse_model_id(name)
        descriptor = await self._describe()
        if not descriptor.answers_to(name):
            raise _not_found(name)
        return descriptor

    async def locate(self, model_id: ModelId, /) -> ModelFiles:
        """Finds the model's files in the store's format."""
        _require_starter(model_id)
        size_bytes = await _on_disk(self._directory.size_bytes)
        if size_bytes is not None:
            return self._files(size_bytes)
        if await _on_disk(self._directory.exists):
            raise InvalidModelError(model_id=model_id, reason="files of it are missing or were cut; pull it again")
        raise ModelNotDownloadedError(model_id=model_id)

    def pull(self, model_id: ModelId, /) -> AbstractAsyncContextManager[AsyncIterator[PullEvent]]:
        """Converts the model from the installed package; leaving the block early ends the conversion.

        Of two pulls at once, also by two processes, the second waits on entering and finds the work done.
        """
        return self._pull(model_id)

    async def delete(self, model_id: ModelId, /) -> None:
        """Removes the model's files in all formats; refused with `StorageError` while somebody pulls it."""
        _require_starter(model_id)
        if not await _on_disk(self._directory.has_root):
            return
        with _storage_errors():
            async with self._directory.locked(timeout_s=0):
                await _on_disk(self._directory.remove_all_formats)

    async def _describe(self) -> ModelDescriptor:
        size_bytes = await _on_disk(self._directory.size_bytes)
        return ModelDescriptor(
            id=STARTER_MODEL,
            aliases=(STARTER_ALIAS,),
            state=ModelState.AVAILABLE if size_bytes is None else ModelState.DOWNLOADED,
            size_bytes=size_bytes or self._total_bytes,
            memory_bytes=self._total_bytes,
            context_window=_CONTEXT_WINDOW,
            quantization=self._weight_format.value,
            description="A small English chat model to start with; it is made on this machine, without a download",
        )

    def _files(self, size_bytes: int) -> ModelFiles:
        return ModelFiles(
            model_id=STARTER_MODEL,
            directory=self._directory.path,
            revision=STARTER_FILE.sha256,
            size_bytes=size_bytes,
        )

    @asynccontextmanager
    async def _pull(self, model_id: ModelId) -> AsyncIterator[AsyncIterator[PullEvent]]:
        _require_starter(model_id)
        async with AsyncExitStack() as stack:
            yield await stack.enter_async_context(aclosing(await self._open_pull(stack)))

    async def _open_pull(self, stack: AsyncExitStack) -> AsyncGenerator[PullEvent, None]:
        if (size_bytes := await _on_disk(self._directory.size_bytes)) is not None:
            return _tell_present(size_bytes)
        source = await _on_disk(find_wheel_file, STARTER_FILE, STARTER_MODEL)
        with _storage_errors():
            await stack.enter_async_context(self._directory.locked(timeout_s=-1))
        # Whoever held the lock before may have done the work.
        if (size_bytes := await _on_disk(self._directory.size_bytes)) is not None:
            return _tell_present(size_bytes)
        return await self._start_conversion(source, stack)

    async def _start_conversion(self, source: Path, stack: AsyncExitStack) -> AsyncGenerator[PullEvent, None]:
        stack.push_async_callback(_on_disk, self._directory.discard)
        partial = await _on_disk(self._directory.begin)
        await self._require_space()
        with _storage_errors():
            written_bytes = await stack.enter_async_context(converting(source, partial, self._weight_format))
        return self._follow(written_bytes)

    async def _require_space(self) -> None:
        free_bytes = await _on_disk(self._directory.free_bytes)
        if free_bytes < self._total_bytes:
            raise InsufficientStorageError(
                model_id=STARTER_MODEL, required_bytes=self._total_bytes, available_bytes=free_bytes
            )

    async def _follow(self, written_bytes: AsyncIterator[int]) -> AsyncGenerator[PullEvent, None]:
        total_bytes = self._total_bytes
        yield PullStarted(model=STARTER_MODEL, revision=STARTER_FILE.sha256, total_bytes=total_bytes)
        with _storage_errors(), _download_errors():
            async for completed_bytes in written_bytes:
                yield PullProgress(completed_bytes=min(completed_bytes, total_bytes), total_bytes=total_bytes)
        size_bytes = await _on_disk(self._directory.publish)
        yield PullFinished(model=STARTER_MODEL, revision=STARTER_FILE.sha256, size_bytes=size_bytes)


async def _tell_present(size_bytes: int) -> AsyncGenerator[PullEvent, None]:
    yield PullStarted(model=STARTER_MODEL, revision=STARTER_FILE.sha256, total_bytes=size_bytes)
    yield PullFinished(model=STARTER_MODEL, revision=STARTER_FILE.sha256, size_bytes=size_bytes)


def _require_starter(model_id: ModelId) -> None:
    if parse_model_id(model_id) != STARTER_MODEL:
        raise _not_found(model_id)


def _not_found(name: str) -> ModelNotFoundError:
    return ModelNotFoundError(model_id=name, nearest=nearest_names(name, (STARTER_MODEL, STARTER_ALIAS)))


async def _on_disk(call: Callable[P, ResultT], /, *args: P.args, **kwargs: P.kwargs) -> ResultT:
    """Runs a blocking call on a thread. A task that is cancelled meanwhile ends when the call has returned.

    So whoever has the directory next never meets a thread that still works on it.
    """
    with _storage_errors():
        result = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
        try:
            return await asyncio.shield(result)
        except asyncio.CancelledError:
            await asyncio.wait([result])
            raise


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise StorageError(f"{STARTER_MODEL!r} is being pulled. Stop that first, then delete it.") from exc
    except OSError as exc:
        raise StorageError(f"The files of {STARTER_MODEL!r} could not be read or written: {exc}.") from exc


@contextmanager
def _download_errors() -> Iterator[None]:
    try:
        yield
    except ConversionFailedError as exc:
        raise ModelDownloadError(f"Converting {STARTER_MODEL!r} failed: {exc}.", model_id=STARTER_MODEL) from exc
