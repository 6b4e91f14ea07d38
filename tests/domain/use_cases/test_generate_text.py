from dataclasses import replace
from typing import Any

import pytest

from cortex_adapters.fake import ScriptedReply
from cortex_domain.errors import (
    ContextWindowExceededError,
    DeadlineExceededError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    ModelNotLoadedError,
    RequestRefusedError,
    UnsupportedCapabilityError,
)
from cortex_domain.event_stream import collect
from cortex_domain.events import GenerationFinished
from cortex_domain.generation import FinishReason, GenerationRequest, SamplingParameters
from cortex_domain.language_models import LoadedModel, ModelFiles, ModelId
from cortex_domain.messages import ImagePart, Message, Role, user_message
from tests.domain.use_cases.wiring import ABSENT, HERE, Wired, wire

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


async def test_a_model_that_is_unloaded_in_between_is_loaded_again() -> None:
    unloaded = ScriptedReply(refusal=ModelNotLoadedError(model_id=HERE.id))
    wired = wire(script=[unloaded, unloaded, "here I am"])
    async with wired.generate(REQUEST) as events:
        assert (await collect(events)).text == "here I am"


async def test_a_model_that_is_always_unloaded_is_refused_in_the_end() -> None:
    unloaded = ScriptedReply(refusal=ModelNotLoadedError(model_id=HERE.id))
    with pytest.raises(ModelNotLoadedError):
        await wire(script=[unloaded] * 3 + ["never said"]).generate(REQUEST).__aenter__()


@pytest.mark.parametrize(("timeout_s", "finish_reason"), [(9.0, FinishReason.STOP), (6.0, FinishReason.CANCELLED)])
async def test_loading_counts_towards_the_deadline(
    timeout_s: float, finish_reason: FinishReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    wired = wire(script=["slow"])
    _let_loading_last(5.0, wired, monkeypatch)
    async with wired.generate(replace(REQUEST, timeout_s=timeout_s)) as events:
        await anext(events)
        await wired.clock.advance(2.0)
        *_, last = [event async for event in events]
    assert isinstance(last, GenerationFinished)
    assert last.finish_reason is finish_reason


async def test_a_request_whose_time_is_over_after_loading_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wired = wire()
    _let_loading_last(5.0, wired, monkeypatch)
    with pytest.raises(DeadlineExceededError):
        await wired.generate(replace(REQUEST, timeout_s=5.0)).__aenter__()


def _let_loading_last(seconds: float, wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    load = wired.loader.load

    async def load_slowly(files: ModelFiles, /, *args: Any, **options: Any) -> LoadedModel:
        await wired.clock.advance(seconds)
        return await load(files, *args, **options)

    monkeypatch.setattr(wired.loader, "load", load_slowly)
