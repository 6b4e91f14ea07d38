from dataclasses import replace

import pytest

from cortex_domain.errors import (
    ContextWindowExceededError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    RequestRefusedError,
    UnsupportedCapabilityError,
)
from cortex_domain.event_stream import collect
from cortex_domain.generation import GenerationRequest, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_domain.messages import ImagePart, Message, Role, user_message
from tests.domain.use_cases.wiring import ABSENT, HERE, wire

REQUEST = GenerationRequest(model=ModelId("here"), messages=(user_message("hello there"),))


async def test_loads_the_model_on_first_use_and_answers_by_alias() -> None:
    wired = wire()
    async with wired.generate(REQUEST) as events:
        result = await collect(events)
    assert (result.text, result.model, result.generation_id) == ("hello there", HERE.id, REQUEST.generation_id)
    assert [model.id for model in wired.loader.loaded()] == [HERE.id]


async def test_a_capability_that_generator_and_model_have_is_passed_on() -> None:
    async with wire().generate(replace(REQUEST, sampling=SamplingParameters(seed=1, top_k=2))) as events:
        assert (await collect(events)).text == "hello there"


async def test_leaving_early_ends_the_generation() -> None:
    wired = wire()
    async with wired.generate(REQUEST) as events:
        await anext(events)
        assert wired.generator.active_requests == 1
    assert wired.generator.active_requests == 0


async def test_a_capability_that_the_model_lacks_is_refused_before_it_is_loaded() -> None:
    wired = wire()
    message = Message(role=Role.USER, parts=(ImagePart(data=b"x", media_type="image/png"),))
    with pytest.raises(UnsupportedCapabilityError) as caught:
        await wired.generate(replace(REQUEST, messages=(message,))).__aenter__()
    assert (caught.value.model_id, caught.value.parameter) == (HERE.id, "messages")
    assert not wired.loader.loaded()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": ABSENT.id}, ModelNotDownloadedError),
        ({"model": "fake/nobody"}, ModelNotFoundError),
        ({"max_tokens": 64}, ContextWindowExceededError),
    ],
)
async def test_refusals_come_on_entering(change: dict[str, object], error: type[RequestRefusedError]) -> None:
    with pytest.raises(error):
        await wire().generate(replace(REQUEST, **change)).__aenter__()  # type: ignore[arg-type]
