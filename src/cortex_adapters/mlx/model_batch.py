"""One loaded model and the jobs that run on it, batched by mlx-lm's generator."""

import logging
from collections.abc import Callable, Iterator

from mlx_lm.generate import BatchGenerator

from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.answer_text import AnswerText
from cortex_adapters.mlx.jobs import Job, JobId, JobOutput
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.sampling import make_logits_processors, make_sampler
from cortex_domain.errors import CortexError, GeneratorFailedError
from cortex_domain.events import GenerationEvent
from cortex_domain.ports import Clock

logger = logging.getLogger(__name__)

DECODE_BATCH_ROWS = 32
PREFILL_BATCH_ROWS = 8
# Small enough that a cancellation or a waiting stream is never far from the next step.
PREFILL_STEP_TOKENS = 512


class ModelBatch:
    """Runs any number of jobs on one model; one step serves them all."""

    def __init__(self, language_model: LanguageModel, *, clock: Clock) -> None:
        self.language_model = language_model
        self._clock = clock
        self._generator = self._make_generator()
        self._jobs: dict[int, ActiveJob] = {}

    @property
    def has_work(self) -> bool:
        """Whether any job is unfinished."""
        return bool(self._jobs)

    def admit(self, job: Job) -> list[JobOutput]:
        """Takes a job; it starts at the next step that has room. One that cannot be taken ends at once."""
        try:
            self._insert(job)
        except Exception as error:
            logger.exception("Job %s was not admitted", job.id)
            return [JobOutput(job.id, GeneratorFailedError(f"The engine could not begin: {error}"))]
        return []

    def cancel(self, job_id: JobId) -> list[JobOutput]:
        """Drops a job and frees its row; a job that is not here is left alone."""
        uid = next((uid for uid, active in self._jobs.items() if active.job.id == job_id), None)
        return [] if uid is None else self._surviving(lambda: self._drop(uid))

    def step(self) -> list[JobOutput]:
        """Advances every job by at most one token, or one piece of its prompt."""
        return self._surviving(self._step)

    def close(self, reason: CortexError) -> list[JobOutput]:
        """Ends all jobs with `reason` and lets go of the generator."""
        outputs = [JobOutput(active.job.id, reason) for active in self._jobs.values()]
        self._jobs.clear()
        self._generator.close()
        return outputs

    def _insert(self, job: Job) -> None:
        sampler = make_sampler(job.sampling, vocabulary_size=self.language_model.vocabulary_size)
        processors = make_logits_processors(job.sampling, prompt_tokens=len(job.prompt))
        text = AnswerText(self.language_model.tokenizer.detokenizer, job.stop)
        [uid] = self._generator.insert(
            [list(job.prompt)], max_tokens=[job.max_tokens], samplers=[sampler], logits_processors=[processors]
        )
        self._jobs[uid] = ActiveJob(job, text, clock=self._clock)

    def _surviving(self, work: Callable[[], list[JobOutput]]) -> list[JobOutput]:
        """Does work on the generator; when that fails, its jobs end with an error and the next ones get a new one."""
        try:
            return work()
        except Exception as error:
            logger.exception("The batch generator of %s failed", self.language_model.id)
            outputs = self.close(GeneratorFailedError(f"The engine failed while generating: {error}"))
            self._generator = self._make_generator()
            return outputs

    def _step(self) -> list[JobOutput]:
        step_began_s = self._clock.monotonic_s()
        prompt_responses, token_responses = self._generator.next()
        outputs: list[JobOutput] = []
        for prompted in prompt_responses:
            active = self._jobs[prompted.uid]
            done_tokens, _ = prompted.progress
            outputs += self._collect(prompted.uid, active.take_progress(done_tokens, step_began_s=step_began_s))
        for generated in token_responses:
            active = self._jobs[generated.uid]
            outputs += self._collect(generated.uid, active.take_token(generated.token, generated.finish_reason))
        return outputs

    def _collect(self, uid: int, events: Iterator[GenerationEvent]) -> list[JobOutput]:
        """Runs one job's own code on what the generator reported; what it raises ends that job alone."""
        active = self._jobs[uid]
        outputs: list[JobOutput] = []
        try:
            outputs += (JobOutput(active.job.id, event) for event in events)
        except Exception as error:
            logger.exception("Reading the answer of job %s failed", active.job.id)
            outputs.append(JobOutput(active.job.id, GeneratorFailedError(f"The answer could not be read: {error}")))
        if outputs and outputs[-1].is_last:
            self._drop(uid)
        return outputs

    def _drop(self, uid: int) -> list[JobOutput]:
        """Forgets a job, which says nothing more; does nothing in the generator when that has ended it already."""
        self._generator.remove([uid])
        del self._jobs[uid]
        return []

    def _make_generator(self) -> BatchGenerator:
        return BatchGenerator(
            self.language_model.network,
            stop_tokens=[[token] for token in self.language_model.tokenizer.eos_token_ids],
            completion_batch_size=DECODE_BATCH_ROWS,
            prefill_batch_size=PREFILL_BATCH_ROWS,
            prefill_step_size=PREFILL_STEP_TOKENS,
        )
