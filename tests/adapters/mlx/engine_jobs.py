"""Jobs for an engine host, and what their readers get."""

from typing import Any

from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.grammars import Grammar
from cortex_adapters.mlx.jobs import Job, JobId
from cortex_adapters.mlx.open_job import OpenJob
from cortex_domain.event_stream import collect
from cortex_domain.events import GenerationStarted
from cortex_domain.generation import GenerationResult, Priority, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_domain.messages import user_message
from tests.adapters.mlx.tiny_model import TINY_MODEL

GREEDY = SamplingParameters(temperature=0)


def make_job(
    number: int,
    text: str = "hello",
    *,
    max_tokens: int | None = 24,
    sampling: SamplingParameters = GREEDY,
    model_id: ModelId = TINY_MODEL,
    owner: str = "",
    priority: Priority = Priority.INTERACTIVE,
    stop: tuple[str, ...] = (),
    grammar: Grammar | None = None,
) -> Job:
    return Job(
        id=JobId(number),
        model_id=model_id,
        messages=(user_message(text),),
        sampling=sampling,
        max_tokens=max_tokens,
        default_max_tokens=24,
        stop=stop,
        grammar=grammar,
        owner=owner,
        accepted_s=0.0,
        priority=priority,
    )


def submit(host: EngineHost, text: str = "hello", **options: Any) -> OpenJob:
    """Submits a job; `options` are those of `make_job`."""
    return host.submit(make_job(host.new_job_id(), text, **options))


async def begin(open_job: OpenJob) -> OpenJob:
    """Waits until the job is accepted, and gives its stream the first event."""
    prompt_tokens = await open_job.accepted
    model = open_job.job.model_id
    started = GenerationStarted(generation_id="gen_1", model=model, created_s=0, prompt_tokens=prompt_tokens)
    open_job.stream.begin(started)
    return open_job


async def finish(open_job: OpenJob) -> GenerationResult:
    """Reads a job that was only submitted, to its end."""
    return await collect((await begin(open_job)).stream)


async def run(host: EngineHost, text: str = "hello", **options: Any) -> GenerationResult:
    return await finish(submit(host, text, **options))
