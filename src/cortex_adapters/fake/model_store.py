"""Keeps models that have no files."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath

from cortex_domain.errors import CortexError, ModelNotDownloadedError, ModelNotFoundError
from cortex_domain.events import PullEvent, PullFinished, PullProgress, PullStarted
from cortex_domain.language_models import (
    Capability,
    ModelDescriptor,
    ModelFiles,
    ModelId,
    ModelState,
    nearest_names,
    parse_model_id,
)
from cortex_domain.ports import ModelStore

ECHO_MODEL = ModelId("fake/echo")

DEFAULT_MODELS = (
    ModelDescriptor(
        id=ECHO_MODEL,
        aliases=("echo",),
        state=ModelState.DOWNLOADED,
        size_bytes=1_000_000,
        context_window=4096,
        capabilities=frozenset({Capability.REASONING_EFFORT}),
        description="Says the last message of the user again",
    ),
    ModelDescriptor(
        id=ModelId("fake/parrot"),
        aliases=("parrot",),
        state=ModelState.AVAILABLE,
        size_bytes=4_000_000,
        context_window=4096,
        capabilities=frozenset({Capability.REASONING_EFFORT}),
        description="The same echo, to be pulled first",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedPull:
    """How pulling a model goes.

    Attributes:
        steps: Equal parts in which the whole model arrives, at least 1; each one is reported.
        refusal: Raised on entering instead of pulling; None pulls.
        failure: Raised, instead of finishing, after `fails_after_steps` steps; None finishes.
        fails_after_steps: Steps of the failing pull that arrive before it fails.
    """

    steps: int = 4
    refusal: CortexError | None = None
    failure: CortexError | None = None
    fails_after_steps: int = 1


class FakeModelStore(ModelStore):
    """Keeps models in memory.

    Args:
        descriptors: The models it lists, `downloaded` or `available`.
        unlisted: Models that can be pulled but are listed only while they are downloaded.
        pulls: How pulling goes, by model; the others take four steps and succeed.
    """

    def __init__(
        self,
        descriptors: Iterable[ModelDescriptor] = DEFAULT_MODELS,
        *,
        unlisted: Iterable[ModelDescriptor] = (),
        pulls: Mapping[ModelId, ScriptedPull] | None = None,
    ) -> None:
        listed = {descriptor.id: descriptor for descriptor in descriptors}
        self._catalogue = frozenset(listed)
        self._known = listed | {descriptor.id: descriptor for descriptor in unlisted}
        self._bytes_here = {
            descriptor.id: _size_bytes(descriptor)
            for descriptor in self._known.values()
            if descriptor.state is not ModelState.AVAILABLE
        }
        self._pulls = dict(pulls or {})

    async def list_models(self) -> Sequence[ModelDescriptor]:
        """Lists the models, sorted by id."""
        await asyncio.sleep(0)
        return self._listed()

    async def describe(self, name: str, /) -> ModelDescriptor:
        """Finds a model by its id or an alias."""
        await asyncio.sleep(0)
        parse_model_id(name)
        for descriptor in self._listed():
            if descriptor.answers_to(name):
                return descriptor
        raise self._not_found(name)

    async def locate(self, model_id: ModelId, /) -> ModelFiles:
        """Tells where a model's files would be."""
        descriptor = await self._find(model_id)
        if descriptor.state is not ModelState.DOWNLOADED:
            raise ModelNotDownloadedError(model_id=model_id)
        return ModelFiles(
            model_id=model_id, directory=PurePath(model_id), revision=None, size_bytes=_size_bytes(descriptor)
        )

    def pull(self, model_id: ModelId, /) -> AbstractAsyncContextManager[AsyncIterator[PullEvent]]:
        """Pulls a model as its `ScriptedPull` says."""
        return self._pull(model_id)

    async def delete(self, model_id: ModelId, /) -> None:
        """Removes a model's bytes, those of a pull that was cut too."""
        await self._find(model_id)
        self._bytes_here.pop(model_id, None)

    @asynccontextmanager
    async def _pull(self, model_id: ModelId) -> AsyncIterator[AsyncIterator[PullEvent]]:
        await asyncio.sleep(0)
        parse_model_id(model_id)
        descriptor = self._known.get(model_id)
        if descriptor is None:
            raise self._not_found(model_id)
        script = self._pulls.get(model_id, ScriptedPull())
        if script.refusal is not None:
            raise script.refusal
        async with aclosing(self._transfer(descriptor, script)) as events:
            yield events

    async def _transfer(self, descriptor: ModelDescriptor, script: ScriptedPull) -> AsyncGenerator[PullEvent, None]:
        total_bytes = _size_bytes(descriptor)
        yield PullStarted(model=descriptor.id, revision=None, total_bytes=total_bytes)
        for step in range(script.steps + 1):
            await asyncio.sleep(0)
            if script.failure is not None and step > script.fails_after_steps:
                raise script.failure
            arrived = total_bytes * step // script.steps
            if arrived > self._bytes_here.get(descriptor.id, 0):
                self._bytes_here[descriptor.id] = arrived
                yield PullProgress(completed_bytes=arrived, total_bytes=total_bytes)
        self._bytes_here[descriptor.id] = total_bytes
        yield PullFinished(model=descriptor.id, revision=None, size_bytes=total_bytes)

    async def _find(self, model_id: ModelId) -> ModelDescriptor:
        descriptor = await self.describe(model_id)
        if descriptor.id != model_id:
            raise self._not_found(model_id)
        return descriptor

    def _listed(self) -> list[ModelDescriptor]:
        descriptors = [self._with_state(self._known[model_id]) for model_id in sorted(self._known)]
        return [
            descriptor
            for descriptor in descriptors
            if descriptor.id in self._catalogue or descriptor.state is ModelState.DOWNLOADED
        ]

    def _with_state(self, descriptor: ModelDescriptor) -> ModelDescriptor:
        is_complete = self._bytes_here.get(descriptor.id) == _size_bytes(descriptor)
        return replace(descriptor, state=ModelState.DOWNLOADED if is_complete else ModelState.AVAILABLE)

    def _not_found(self, name: str) -> ModelNotFoundError:
        return ModelNotFoundError(model_id=name, nearest=nearest_names(name, self._known))


def _size_bytes(descriptor: ModelDescriptor) -> int:
    return 0 if descriptor.size_bytes is None else descriptor.size_bytes
