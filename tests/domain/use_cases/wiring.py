"""Wires every use case to fakes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cortex_adapters.fake import FakeClock, FakeModelLoader, FakeModelStore, FakeTextGenerator, ScriptedReply
from cortex_domain.errors import CortexError
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState
from cortex_domain.model_residency import ModelResidency
from cortex_domain.use_cases import (
    CountPrompt,
    DeleteModel,
    DescribeModel,
    GenerateText,
    ListModels,
    LoadModel,
    MakeRoom,
    PullModel,
    ResumeGeneration,
    UnloadIdleModels,
    UnloadModel,
)

HERE = ModelDescriptor(
    id=ModelId("fake/here"), aliases=("here",), state=ModelState.DOWNLOADED, size_bytes=1000, context_window=64
)
ALSO_HERE = ModelDescriptor(id=ModelId("fake/also-here"), state=ModelState.DOWNLOADED, size_bytes=600)
LARGE = ModelDescriptor(id=ModelId("fake/large"), aliases=("large",), state=ModelState.DOWNLOADED, size_bytes=1500)
ABSENT = ModelDescriptor(id=ModelId("fake/absent"), aliases=("absent",), state=ModelState.AVAILABLE, size_bytes=500)
UNLISTED = ModelDescriptor(id=ModelId("fake/unlisted"), state=ModelState.AVAILABLE, size_bytes=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """Every use case on one set of fakes."""

    clock: FakeClock
    store: FakeModelStore
    loader: FakeModelLoader
    generator: FakeTextGenerator
    residency: ModelResidency
    describe: DescribeModel
    listing: ListModels
    load: LoadModel
    unload: UnloadModel
    unload_idle: UnloadIdleModels
    pull: PullModel
    delete: DeleteModel
    generate: GenerateText
    resume: ResumeGeneration
    count: CountPrompt


def wire(
    *,
    keep_alive_s: float | None = None,
    pinned: Collection[str] = (),
    memory_limit_bytes: int | None = None,
    script: Iterable[ScriptedReply | str] | None = None,
    refusals: Mapping[ModelId, CortexError] | None = None,
    context_window: int = 32,
    auto_advance: bool = False,
) -> Wired:
    clock = FakeClock(auto_advance=auto_advance)
    store = FakeModelStore([HERE, ALSO_HERE, LARGE, ABSENT], unlisted=[UNLISTED])
    loader = FakeModelLoader(context_window=context_window, memory_limit_bytes=memory_limit_bytes, refusals=refusals)
    generator = FakeTextGenerator(loader=loader, clock=clock, script=script)
    residency = ModelResidency(clock=clock, keep_alive_s=keep_alive_s, pinned=pinned)
    describe = DescribeModel(store=store, loader=loader, residency=residency, generator=generator)
    make_room = MakeRoom(loader=loader, residency=residency)
    load = LoadModel(store=store, loader=loader, residency=residency, make_room=make_room)
    return Wired(
        clock=clock,
        store=store,
        loader=loader,
        generator=generator,
        residency=residency,
        describe=describe,
        listing=ListModels(store=store, describe_model=describe),
        load=load,
        unload=UnloadModel(store=store, loader=loader, residency=residency),
        unload_idle=UnloadIdleModels(loader=loader, residency=residency),
        pull=PullModel(store=store),
        delete=DeleteModel(store=store, loader=loader),
        generate=GenerateText(
            describe_model=describe,
            load_model=load,
            residency=residency,
            make_room=make_room,
            generator=generator,
            clock=clock,
        ),
        count=CountPrompt(describe_model=describe, load_model=load, residency=residency, counter=generator),
        resume=ResumeGeneration(suspender=generator, load_model=load, residency=residency),
    )
