"""Wires every use case to fakes."""

from dataclasses import dataclass

from cortex_adapters.fake import FakeClock, FakeModelLoader, FakeModelStore, FakeTextGenerator
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState
from cortex_domain.use_cases import (
    DeleteModel,
    DescribeModel,
    GenerateText,
    ListModels,
    LoadModel,
    PullModel,
    UnloadModel,
)

HERE = ModelDescriptor(
    id=ModelId("fake/here"), aliases=("here",), state=ModelState.DOWNLOADED, size_bytes=1000, context_window=64
)
ABSENT = ModelDescriptor(id=ModelId("fake/absent"), aliases=("absent",), state=ModelState.AVAILABLE, size_bytes=500)
UNLISTED = ModelDescriptor(id=ModelId("fake/unlisted"), state=ModelState.AVAILABLE, size_bytes=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """Every use case on one set of fakes."""

    store: FakeModelStore
    loader: FakeModelLoader
    generator: FakeTextGenerator
    describe: DescribeModel
    listing: ListModels
    load: LoadModel
    unload: UnloadModel
    pull: PullModel
    delete: DeleteModel
    generate: GenerateText


def wire() -> Wired:
    store = FakeModelStore([HERE, ABSENT], unlisted=[UNLISTED])
    loader = FakeModelLoader(context_window=32)
    generator = FakeTextGenerator(loader=loader, clock=FakeClock())
    describe = DescribeModel(store=store, loader=loader, generator=generator)
    load = LoadModel(store=store, loader=loader)
    return Wired(
        store=store,
        loader=loader,
        generator=generator,
        describe=describe,
        listing=ListModels(store=store, describe_model=describe),
        load=load,
        unload=UnloadModel(store=store, loader=loader),
        pull=PullModel(store=store),
        delete=DeleteModel(store=store, loader=loader),
        generate=GenerateText(describe_model=describe, load_model=load, generator=generator),
    )
