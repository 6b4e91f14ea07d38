import pytest

from cortex_adapters.fake import ECHO_MODEL, FakeModelStore, ScriptedPull
from cortex_domain.errors import ModelAccessDeniedError, ModelDownloadError, ModelNotFoundError
from cortex_domain.event_stream import collect_pull
from cortex_domain.events import PullProgress
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState

PARROT = ModelId("fake/parrot")


async def test_by_default_there_is_an_echo_to_use_and_a_parrot_to_pull() -> None:
    store = FakeModelStore()
    assert (await store.describe("echo")).id == ECHO_MODEL
    assert (await store.locate(ECHO_MODEL)).size_bytes == 1_000_000
    assert (await store.describe("parrot")).state is ModelState.AVAILABLE


async def test_a_pull_takes_as_many_steps_as_scripted() -> None:
    store = FakeModelStore(pulls={PARROT: ScriptedPull(steps=2)})
    async with store.pull(PARROT) as events:
        progress = [event.completed_bytes async for event in events if isinstance(event, PullProgress)]
    assert progress == [2_000_000, 4_000_000]


async def test_a_pull_can_be_refused() -> None:
    store = FakeModelStore(pulls={PARROT: ScriptedPull(refusal=ModelAccessDeniedError(model_id=PARROT))})
    with pytest.raises(ModelAccessDeniedError):
        await store.pull(PARROT).__aenter__()


async def test_a_pull_can_fail_half_way_and_keeps_what_came() -> None:
    failure = ModelDownloadError("It broke off.", model_id=PARROT)
    store = FakeModelStore(pulls={PARROT: ScriptedPull(steps=4, failure=failure, fails_after_steps=2)})
    seen = []
    async with store.pull(PARROT) as events:
        with pytest.raises(ModelDownloadError):
            async for event in events:
                seen.append(event)  # noqa: PERF401 - what came before the failure counts
    assert seen[-1] == PullProgress(completed_bytes=2_000_000, total_bytes=4_000_000)
    assert (await store.describe(PARROT)).state is ModelState.AVAILABLE


async def test_an_unlisted_model_is_listed_while_it_is_here() -> None:
    hidden = ModelDescriptor(id=ModelId("fake/hidden"), state=ModelState.AVAILABLE)
    store = FakeModelStore(unlisted=[hidden])
    before = await store.list_models()
    async with store.pull(hidden.id) as events:
        assert (await collect_pull(events)).size_bytes == 0
    assert hidden.id in {model.id for model in await store.list_models()}
    await store.delete(hidden.id)
    assert await store.list_models() == before


async def test_files_are_found_by_id_only() -> None:
    with pytest.raises(ModelNotFoundError):
        await FakeModelStore().locate(ModelId("echo"))
