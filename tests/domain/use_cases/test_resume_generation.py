import pytest

from cortex_domain.errors import GenerationNotFoundError, ModelNotDownloadedError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import ModelId
from cortex_domain.messages import user_message
from tests.domain.use_cases.wiring import HERE, Wired, wire

REQUEST = GenerationRequest(model=ModelId("here"), messages=(user_message("hello there you"),))


async def _begin(wired: Wired, events_to_read: int) -> list[GenerationEvent]:
    async with wired.generate(REQUEST) as events:
        seen = [await anext(events) for _ in range(events_to_read)]
        wired.generator.suspend(REQUEST.generation_id, for_s=10)
    return seen


async def test_goes_on_where_the_generation_was_left() -> None:
    wired = wire()
    async with wired.generate(REQUEST) as events:
        whole = [event async for event in events]
    seen = await _begin(wired, 4)
    async with wired.resume(REQUEST.generation_id) as events:
        seen += [event async for event in events]
    assert seen == whole


async def test_loads_the_model_again() -> None:
    wired = wire()
    await _begin(wired, 1)
    await wired.unload("here")
    async with wired.resume(REQUEST.generation_id) as events:
        assert [event.type async for event in events][-1] == "done"
    assert [model.id for model in wired.loader.loaded()] == [HERE.id]


async def test_stays_suspended_while_the_model_cannot_be_loaded() -> None:
    wired = wire()
    await _begin(wired, 1)
    await wired.unload("here")
    await wired.delete("here")
    with pytest.raises(ModelNotDownloadedError):
        await wired.resume(REQUEST.generation_id).__aenter__()
    assert wired.generator.suspended_generations == 1


async def test_an_unknown_generation_is_refused() -> None:
    with pytest.raises(GenerationNotFoundError):
        await wire().resume("gen_unknown").__aenter__()
