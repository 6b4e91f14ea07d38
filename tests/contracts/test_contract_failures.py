"""A contract that cannot be checked says so, instead of passing or hanging."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from cortex_adapters.fake import FakeClock, FakeTextGenerator, ScriptedReply
from cortex_contracts.text_generator import TextGeneratorContract
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import Capability
from cortex_domain.ports import TextGenerator
from tests.contracts.harnesses import fake_engine_harness


class SwallowingTextGenerator(TextGenerator):
    """Takes an error of its reader for its own affair."""

    def __init__(self, inner: TextGenerator) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._inner.capabilities

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        return self._generate(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        try:
            async with self._inner.generate_text(request) as events:
                yield events
        except Exception:  # noqa: BLE001 - the fault to be found
            return


async def test_model_that_says_nothing_fails() -> None:
    harness = await fake_engine_harness()
    mute = FakeTextGenerator(loader=harness.loader, clock=FakeClock(), script=[ScriptedReply()] * 9)
    with pytest.raises(AssertionError, match="no text"):
        await TextGeneratorContract().test_leaving_frees_place(replace(harness, generator=mute))


async def test_generator_that_swallows_its_readers_error_fails() -> None:
    harness = await fake_engine_harness()
    swallowing = SwallowingTextGenerator(harness.generator)
    with pytest.raises(AssertionError, match="swallowed"):
        await TextGeneratorContract().test_leaving_frees_place(replace(harness, generator=swallowing))


async def test_declared_logit_bias_without_encode_fails() -> None:
    harness = await fake_engine_harness()
    with pytest.raises(AssertionError, match="encode"):
        await TextGeneratorContract().test_logit_bias(replace(harness, encode=None))


async def test_generator_that_hangs_fails() -> None:
    harness = await fake_engine_harness(patience_s=0.01)
    hanging = FakeTextGenerator(
        loader=harness.loader, clock=FakeClock(), script=[ScriptedReply(pieces=("?",), first_delay_s=1)]
    )
    with pytest.raises(TimeoutError):
        await TextGeneratorContract().test_stream_order(replace(harness, generator=hanging))
