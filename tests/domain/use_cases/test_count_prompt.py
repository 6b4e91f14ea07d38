from dataclasses import replace

import pytest

from cortex_domain.errors import ModelNotFoundError, UnsupportedCapabilityError
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import ModelId
from cortex_domain.messages import ImagePart, Message, Role, user_message
from tests.domain.use_cases.wiring import HERE, wire

REQUEST = GenerationRequest(model=ModelId("here"), messages=(user_message("hello there you"),))


async def test_a_model_that_is_not_in_memory_is_loaded_first() -> None:
    wired = wire()
    assert await wired.count(REQUEST) == 4
    assert [model.id for model in wired.loader.loaded()] == [HERE.id]


async def test_the_count_is_what_an_answer_tells() -> None:
    wired = wire()
    async with wired.generate(REQUEST) as events:
        started = await anext(events)
    assert started.type == "started"
    assert await wired.count(REQUEST) == started.prompt_tokens


async def test_a_counted_model_counts_as_used() -> None:
    wired = wire(keep_alive_s=10)
    await wired.count(replace(REQUEST, keep_alive_s=100))
    assert wired.residency.describe(HERE.id).keep_alive_s == 100
    assert wired.residency.describe(HERE.id).active_requests == 0


async def test_what_the_model_cannot_read_is_refused_before_it_is_loaded() -> None:
    wired = wire()
    picture = Message(role=Role.USER, parts=(ImagePart(data=b"x", media_type="image/png"),))
    with pytest.raises(UnsupportedCapabilityError):
        await wired.count(replace(REQUEST, messages=(picture,)))
    assert not wired.loader.loaded()


async def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelNotFoundError):
        await wire().count(replace(REQUEST, model=ModelId("nobody/knows")))
