"""Text generator on MLX: an async face on the engine."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace

from cortex_adapters.mlx.choice_streams import ChoiceStreams
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.grammars import grammar_of
from cortex_adapters.mlx.job_deadline import held_to_deadline
from cortex_adapters.mlx.jobs import Job
from cortex_adapters.mlx.open_job import OpenJob
from cortex_adapters.mlx.suspended_jobs import SuspendedJobs
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_domain.errors import GenerationNotFoundError, UnsupportedCapabilityError
from cortex_domain.events import GenerationEvent, GenerationStarted
from cortex_domain.generation import MAX_SEED, GenerationRequest, SamplingParameters
from cortex_domain.language_models import Capability, ModelId
from cortex_domain.ports import Clock, GenerationSuspender, PromptCounter, TextGenerator


class MlxTextGenerator(TextGenerator, GenerationSuspender, PromptCounter):
    """Generates text with mlx-lm, many requests in one batch.

    A suspended generation is a cancelled job of which the prompt's and the answer's tokens are kept, as they are for an
    engine that may die: whoever goes on from them draws what would have been drawn. Each of several answers to one
    request is a job of its own; such a generation is not suspended. A prompt is counted by a job that ends when it is
    rendered, which happens beside the engine's thread.
    """

    capabilities = frozenset(
        {
            Capability.SEED,
            Capability.TOP_K,
            Capability.MIN_P,
            Capability.REPETITION_PENALTY,
            Capability.PRESENCE_PENALTY,
            Capability.FREQUENCY_PENALTY,
            Capability.LOGIT_BIAS,
            Capability.CHOICES,
            Capability.JSON_SCHEMA_OUTPUT,
            Capability.REGEX_OUTPUT,
            Capability.LARK_OUTPUT,
            Capability.GBNF_OUTPUT,
            Capability.CHOICE_OUTPUT,
            Capability.TOOLS,
            Capability.REASONING_EFFORT,
            Capability.LOGPROBS,
            Capability.RAW_PROMPT,
            Capability.ECHO,
        }
    )

    def __init__(self, *, host: EngineHost, clock: Clock, default_max_tokens: int) -> None:
        """Makes a generator on a started host.

        Args:
            host: Runs the engine.
            clock: Stamps answers, and tells when suspended ones are forgotten.
            default_max_tokens: Longest answer, in tokens, of a request that names none; at least 1.
        """
        self._host = host
        self._clock = clock
        self._default_max_tokens = default_max_tokens
        self._running: dict[str, OpenJob] = {}
        self._suspended = SuspendedJobs(clock=clock)

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """See `TextGenerator.generate_text`."""
        return self._generate(request)

    def suspend(self, generation_id: str, /, *, for_s: float) -> None:
        """See `GenerationSuspender.suspend`."""
        open_job = self._running.pop(generation_id, None)
        if open_job is None:
            raise GenerationNotFoundError(generation_id=generation_id)
        self._host.cancel(open_job.job.id)
        open_job.set_aside()
        self._suspended.add(generation_id, open_job, for_s=for_s)

    def model_of(self, generation_id: str, /) -> ModelId:
        """See `GenerationSuspender.model_of`."""
        return self._find_suspended(generation_id).job.model_id

    def resume(self, generation_id: str, /) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        """See `GenerationSuspender.resume`."""
        return self._resume(generation_id)

    def discard(self, generation_id: str, /) -> None:
        """See `GenerationSuspender.discard`."""
        self._suspended.remove(generation_id)

    async def count_prompt(self, request: GenerationRequest, /) -> int:
        """See `PromptCounter.count_prompt`."""
        self._require_capabilities(request)
        open_job = self._host.submit(replace(self._make_job(request), counts_only=True, copies=()))
        try:
            with held_to_deadline(open_job, self._host.cancel):
                return await open_job.accepted
        finally:
            self._host.cancel(open_job.job.id)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        self._require_capabilities(request)
        open_job = self._host.submit(self._make_job(request))
        with ExitStack() as ending:
            for answer in reversed((open_job, *open_job.copies)):  # so that it is the first to be cancelled
                ending.callback(self._host.cancel, answer.job.id)
                ending.enter_context(held_to_deadline(answer, self._host.cancel))
            prompt_tokens = await open_job.accepted
            open_job.stream.begin(self._started(request, prompt_tokens))
            if open_job.copies:
                yield ChoiceStreams([answer.stream for answer in (open_job, *open_job.copies)])
                return
            with self._suspendable(request.generation_id, open_job):
                yield open_job.stream

    @asynccontextmanager
    async def _resume(self, generation_id: str) -> AsyncIterator[AsyncIterator[GenerationEvent]]:
        open_job = self._find_suspended(generation_id)
        self._host.resume(open_job)
        self._suspended.remove(generation_id)
        try:
            with held_to_deadline(open_job, self._host.cancel), self._suspendable(generation_id, open_job):
                yield open_job.stream
        finally:
            self._host.cancel(open_job.job.id)

    def _find_suspended(self, generation_id: str) -> OpenJob:
        open_job = self._suspended.find(generation_id)
        if open_job is None:
            raise GenerationNotFoundError(generation_id=generation_id)
        return open_job

    @contextmanager
    def _suspendable(self, generation_id: str, open_job: OpenJob) -> Iterator[None]:
        self._running[generation_id] = open_job
        try:
            yield
        finally:
            if self._running.get(generation_id) is open_job:
                del self._running[generation_id]

    def _require_capabilities(self, request: GenerationRequest) -> None:
        for capability, parameter in request.needs.items():
            if capability not in self.capabilities:
                raise UnsupportedCapabilityError(capability=capability, model_id=request.model, parameter=parameter)

    def _make_job(self, request: GenerationRequest) -> Job:
        now_s = time.monotonic()
        return Job(
            id=self._host.new_job_id(),
            model_id=request.model,
            messages=request.messages,
            prompt=request.prompt,
            logprobs=request.logprobs,
            echo=request.echo,
            sampling=_seeded(request.sampling),
            max_tokens=None if request.shortens_to_fit else request.max_tokens,
            default_max_tokens=self._longest_open_answer(request),
            stop=request.stop,
            grammar=None if request.output is None else grammar_of(request.output),
            tools=ToolUse.of(request),
            owner=request.owner,
            priority=request.priority,
            reasoning_effort=request.reasoning_effort,
            accepted_s=now_s,
            deadline_s=None if request.timeout_s is None else now_s + request.timeout_s,
            copies=tuple(self._host.new_job_id() for _ in range(request.n - 1)),
        )

    def _longest_open_answer(self, request: GenerationRequest) -> int:
        """Returns how long an answer may be where the context window holds so much."""
        return (request.shortens_to_fit and request.max_tokens) or self._default_max_tokens

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
