"""Text generator on MLX: an async face on the engine."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.jobs import Job, JobId
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.prompt_rendering import PromptRenderer
from cortex_domain.errors import (
    ContextWindowExceededError,
    InvalidRequestError,
    ModelNotLoadedError,
    UnsupportedCapabilityError,
)
from cortex_domain.events import GenerationEvent, GenerationStarted
from cortex_domain.generation import GenerationRequest
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

    def __init__(self, *, host: EngineHost, renderer: PromptRenderer, clock: Clock, default_max_tokens: int) -> None:
        """Makes a generator on a started host.

        Args:
            host: Runs the engine.
            renderer: Renders chats to prompts.
            clock: Stamps and times.
            default_max_tokens: Longest answer, in tokens, of a request that names none; at least 1.
        """
        self._host = host
        self._renderer = renderer
        self._clock = clock
        self._default_max_tokens = default_max_tokens

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """See `TextGenerator.generate_text`."""
        return self._generate(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        accepted_s = self._clock.monotonic_s()
        prompt, max_tokens = await self._prepare(request)

        def make_job(job_id: JobId) -> Job:
            return Job(
                id=job_id,
                model_id=request.model,
                prompt=tuple(prompt),
                sampling=request.sampling,
                max_tokens=max_tokens,
                stop=request.stop,
                accepted_s=accepted_s,
            )

        started = self._started(request, prompt_tokens=len(prompt))
        job_id, stream = self._host.submit(make_job, started=started)
        try:
            yield stream
        finally:
            self._host.cancel(job_id)

    async def _prepare(self, request: GenerationRequest) -> tuple[list[int], int]:
        """Renders the prompt and settles the longest answer, or refuses the request."""
        language_model = self._host.language_models.get(request.model)
        if language_model is None:
            raise ModelNotLoadedError(model_id=request.model)
        self._require_capabilities(request)
        _require_known_tokens(request, language_model)
        prompt = await self._renderer.render(
            language_model.tokenizer,
            request.messages,
            model_id=request.model,
            context_window=language_model.context_window,
        )
        room = language_model.context_window - len(prompt)
        if room < (request.max_tokens or 1):
            raise ContextWindowExceededError(
                prompt_tokens=len(prompt),
                max_tokens=request.max_tokens,
                context_window=language_model.context_window,
            )
        return prompt, request.max_tokens or min(room, self._default_max_tokens)

    def _require_capabilities(self, request: GenerationRequest) -> None:
        for capability, parameter in request.needs.items():
            if capability not in self.capabilities:
                raise UnsupportedCapabilityError(capability=capability, model_id=request.model, parameter=parameter)

    def _started(self, request: GenerationRequest, *, prompt_tokens: int) -> GenerationStarted:
        return GenerationStarted(
            generation_id=request.generation_id,
            model=request.model,
            created_s=int(self._clock.now_s()),
            prompt_tokens=prompt_tokens,
        )


def _require_known_tokens(request: GenerationRequest, language_model: LanguageModel) -> None:
    highest = max(request.sampling.logit_bias, default=0)
    if highest >= language_model.vocabulary_size:
        raise InvalidRequestError(
            f"logit_bias names the token {highest}, but the highest token of {request.model!r} is "
            f"{language_model.vocabulary_size - 1}.",
            parameter="logit_bias",
        )
