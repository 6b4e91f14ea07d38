"""Text generator on MLX: an async face on the engine."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.jobs import Job
from cortex_domain.errors import UnsupportedCapabilityError
from cortex_domain.events import GenerationEvent, GenerationStarted
from cortex_domain.generation import MAX_SEED, GenerationRequest, SamplingParameters
from cortex_domain.language_models import Capability
from cortex_domain.ports import Clock, TextGenerator


class MlxTextGenerator(TextGenerator):
    """Generates text with mlx-lm, many requests in one batch."""

    capabilities = frozenset(
        {
            Capability.SEED,
            Capability.TOP_K,
            Capability.MIN_P,
            Capability.REPETITION_PENALTY,
            Capability.PRESENCE_PENALTY,
            Capability.FREQUENCY_PENALTY,
            Capability.LOGIT_BIAS,
        }
    )

    def __init__(self, *, host: EngineHost, clock: Clock, default_max_tokens: int) -> None:
        """Makes a generator on a started host.

        Args:
            host: Runs the engine.
            clock: Stamps answers.
            default_max_tokens: Longest answer, in tokens, of a request that names none; at least 1.
        """
        self._host = host
        self._clock = clock
        self._default_max_tokens = default_max_tokens

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """See `TextGenerator.generate_text`."""
        return self._generate(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        self._require_capabilities(request)
        open_job = self._host.submit(self._make_job(request))
        try:
            prompt_tokens = await open_job.accepted
            open_job.stream.begin(self._started(request, prompt_tokens))
            yield open_job.stream
        finally:
            self._host.cancel(open_job.job.id)

    def _require_capabilities(self, request: GenerationRequest) -> None:
        for capability, parameter in request.needs.items():
            if capability not in self.capabilities:
                raise UnsupportedCapabilityError(capability=capability, model_id=request.model, parameter=parameter)

    def _make_job(self, request: GenerationRequest) -> Job:
        return Job(
            id=self._host.new_job_id(),
            model_id=request.model,
            messages=request.messages,
            sampling=_seeded(request.sampling),
            max_tokens=request.max_tokens,
            default_max_tokens=self._default_max_tokens,
            stop=request.stop,
            owner=request.owner,
            accepted_s=time.monotonic(),
        )

    def _started(self, request: GenerationRequest, prompt_tokens: int) -> GenerationStarted:
        return GenerationStarted(
            generation_id=request.generation_id,
            model=request.model,
            created_s=int(self._clock.now_s()),
            prompt_tokens=prompt_tokens,
        )


def _seeded(sampling: SamplingParameters) -> SamplingParameters:
    """Draws a seed where the request has none, so that another engine can go on with the same draws."""
    if sampling.seed is not None or sampling.temperature == 0:
        return sampling
    return replace(sampling, seed=secrets.randbelow(MAX_SEED + 1))
