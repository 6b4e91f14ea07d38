"""One loaded model and the jobs that run on it, batched by mlx-lm's generator."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache

from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.answer_text import AnswerText
from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.channel_text import ChannelText
from cortex_adapters.mlx.device import is_out_of_memory, reuse_overhead_s
from cortex_adapters.mlx.fair_queue import FairQueue
from cortex_adapters.mlx.fetching_jobs import FetchingJobs
from cortex_adapters.mlx.grammar_compiler import CompiledGrammar
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress, JobStep
from cortex_adapters.mlx.length_groups import LengthGroups
from cortex_adapters.mlx.logits_processors import make_logits_processors
from cortex_adapters.mlx.message_positions import message_at
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.model_prefixes import FoundPrefix, ModelPrefixes
from cortex_adapters.mlx.prefill_pacing import MAX_ROW_TOKENS, PrefillPacing
from cortex_adapters.mlx.prefix_cache import PrefixCache
from cortex_adapters.mlx.prefix_tree import BLOCK_TOKENS
from cortex_adapters.mlx.prompt_echo import PromptEcho
from cortex_adapters.mlx.row_admission import next_in, who_makes_room
from cortex_adapters.mlx.speculative_generation import SpeculativeBatchGenerator
from cortex_adapters.mlx.step_logprobs import token_logprob
from cortex_adapters.mlx.thought_text import ThoughtText
from cortex_adapters.mlx.tool_call_reader import ToolCallReader
from cortex_domain.errors import (
    MEMORY_RETRY_AFTER_S,
    CortexError,
    GeneratorBusyError,
    GeneratorFailedError,
    UnavailableReason,
)
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import CacheMiss, SamplingParameters

logger = logging.getLogger(__name__)

_TRIALS = (SamplingParameters(seed=0), SamplingParameters(temperature=0))

KEPT_EARLY_TOKENS = 256
"""A prompt is kept each time that as many of its tokens were computed: for those that come meanwhile, and because to
keep all of a long one at once would hold up the others."""
MAX_ROWS = 64
"""Sequences that one model decodes together; more wait."""


class ModelBatch:
    """Runs any number of jobs on one model; one step serves them all.

    Args:
        language_model: The model.
        prefix_cache: Keeps what was computed.
        has_memory: Tells whether rows that may come to take this many bytes together may run.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        prefix_cache: PrefixCache,
        *,
        has_memory: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self.language_model = language_model
        self._prefixes = ModelPrefixes(prefix_cache, language_model)
        self._fetching = FetchingJobs(self._prefixes)
        self._has_memory = has_memory
        self._pacing = PrefillPacing()
        self._generator = self._make_groups()
        self._jobs: dict[int, ActiveJob] = {}
        self._waiting: FairQueue[ActiveJob] = FairQueue()

    def warm_up(self) -> None:
        """Runs a few tokens, so that kernels are compiled and speeds are known before somebody waits."""
        self._try_out((64, 40), lambda: self._generator.next(piece_tokens=MAX_ROW_TOKENS))
        for prompt_lengths in ((64, 40), (256,)):
            self._try_out(prompt_lengths, self._advance)

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything; for a job whose beginning is still on its way from disk it would not."""
        return bool(self._jobs or self._waiting) or self._fetching.has_news

    @property
    def has_begun(self) -> bool:
        """Whether any job has a row."""
        return bool(self._jobs)

    @property
    def promised_bytes(self) -> int:
        """What the jobs that have a row may come to take together, in bytes."""
        return self._promised_bytes(_all(self._jobs.values()))

    def admit(
        self, job: Job, progress: JobProgress, *, max_tokens: int, grammar: CompiledGrammar | None = None
    ) -> list[JobStep]:
        """Takes a job; it goes on at the next step that has room. One that cannot be taken ends at once."""
        try:
            activate = partial(self._activate, progress=progress, max_tokens=max_tokens, grammar=grammar)
            active = activate(job, copies=[activate(copy) for copy in job.as_copies()])
            if active.reads_whole_prompt or not self._fetching.add(active):
                self._enqueue(active)
        except Exception as error:
            logger.exception("Job %s was not admitted", job.id)
            return [_failed(job.id, "The engine could not begin", error)]
        return []

    def cancel(self, job_id: JobId) -> list[JobStep]:
        """Drops a job, with the copies that share its row, and frees that; a job that is not here is left alone."""
        if self._waiting.drop(job_id) or self._fetching.drop(job_id):
            return []
        return self._surviving(lambda _: self._cancel(job_id))

    def step(self) -> list[JobStep]:
        """Advances every job by at most one token, or one piece of its prompt."""
        return self._surviving(self._step)

    def close(self, reason: CortexError) -> list[JobStep]:
        """Ends all jobs with `reason` and lets go of the generator and of what was kept for reuse."""
        steps = self._end_running(reason)
        others = _all([*self._waiting.items, *self._fetching.items])
        steps += [JobStep(job_id=active.job.id, outputs=(reason,)) for active in others]
        self._waiting.clear()
        self._fetching.clear()
        self.language_model.grammars.close()
        return steps

    def _activate(
        self,
        job: Job,
        *,
        progress: JobProgress,
        max_tokens: int,
        grammar: CompiledGrammar | None,
        copies: Sequence[ActiveJob] = (),
    ) -> ActiveJob:
        text = AnswerText(
            self.language_model.make_detokenizer(begins_text=job.prompt is None),
            job.stop,
            self._thoughts_after(progress.prompt) if job.prompt is None else None,
            tells_tokens=job.logprobs is not None,
        )
        return ActiveJob(
            job,
            progress,
            text,
            max_tokens=max_tokens,
            copies=copies,
            grammar=grammar,
            calls=self._calls_of(job),
            echo=self._echo_of(job, progress),
        )

    def _echo_of(self, job: Job, progress: JobProgress) -> PromptEcho | None:
        if job.prompt is None or not job.echo or progress.has_echoed:
            return None
        return PromptEcho(job.prompt, progress.prompt, self.language_model.token_bytes, alternatives=job.logprobs)

    def _calls_of(self, job: Job) -> ToolCallReader | None:
        if job.tools is None:
            return None
        return self.language_model.tools.reader(job.tools, has_output=job.grammar is not None)

    def _thoughts_after(self, prompt: Sequence[int]) -> ThoughtText | ChannelText | None:
        form = self.language_model.thinking
        if form is None:
            return None
        if form.has_channels:
            return ChannelText()
        return ThoughtText(form, is_open=form.is_open(self.language_model.tokenizer, prompt))

    def _try_out(self, prompt_lengths: Sequence[int], step: Callable[[], object]) -> None:
        uids = [
            self._generator.insert_row([0] * length, max_tokens=2, sampler=RowSampler(sampling), logits_processors=[])
            for sampling, length in zip(_TRIALS, prompt_lengths, strict=False)
        ]
        while self._generator.decoding_rows or self._generator.prompt_rows:
            step()
        self._generator.remove(uids)

    def _surviving(self, work: Callable[[list[JobStep]], None]) -> list[JobStep]:
        """Does work on the generator; when that fails, its jobs end with an error and the next ones get a new one."""
        steps: list[JobStep] = []
        try:
            work(steps)
        except Exception as error:
            logger.exception("The batch generator of %s failed", self.language_model.id)
            steps += self._end_running(_why_all_ended(error))
            self._generator = self._make_groups()
        return steps

    def _end_running(self, reason: CortexError) -> list[JobStep]:
        steps = [JobStep(job_id=active.job.id, outputs=(reason,)) for active in _all(self._jobs.values())]
        self._jobs.clear()
        self._generator.close()
        self._prefixes.forget()
        return steps

    def _cancel(self, job_id: JobId) -> None:
        for uid in [uid for uid, active in self._jobs.items() if active.job.id == job_id]:
            self._drop(uid)

    def _step(self, steps: list[JobStep]) -> None:
        step_began_s = time.monotonic()
        for active in self._fetching.take_ready():
            self._enqueue(active)
        self._end_overdue(steps, step_began_s)
        self._let_in(steps)
        if not self._jobs:
            return  # the memory that those who wait need is still another model's
        prompt_responses, token_responses = self._advance()
        for prompted in prompt_responses:
            done_tokens, all_tokens = prompted.progress
            for uid in self._rows_of(prompted.uid, has_read=prompted.end_of_prompt):
                events = self._jobs[uid].take_progress(
                    done_tokens, unread_tokens=all_tokens - done_tokens, step_began_s=step_began_s
                )
                steps.append(self._collect(uid, (), events))
            self._keep_read(prompted.uid, done_tokens, has_read=prompted.end_of_prompt)
        for generated in token_responses:
            if generated.uid not in self._jobs:
                continue  # a stop text ended it within the tokens of this step
            if generated.finish_reason is not None:
                self._keep(generated.uid, generated.all_tokens, generated.prompt_cache)
            logprob = token_logprob(self.language_model.token_bytes, generated.token, generated.logprobs)
            events = self._jobs[generated.uid].take_token(generated.token, generated.finish_reason, logprob)
            steps.append(self._collect(generated.uid, (generated.token,), events))

    def _rows_of(self, uid: int, *, has_read: bool) -> Sequence[int]:
        """Returns the row that read a part of its prompt and, when that was the last one, those of its copies."""
        copies = self._jobs[uid].part() if has_read else ()
        self._jobs |= dict(enumerate(copies, start=uid + 1))
        return range(uid, uid + 1 + len(copies))

    def _end_overdue(self, steps: list[JobStep], now_s: float) -> None:
        overdue = [(uid, active) for uid, active in self._jobs.items() if active.is_overdue(now_s)]
        for uid, active in overdue:
            steps += _broken_off(active.copies)
            steps.append(self._collect(uid, (), active.break_off()))
        for active in self._waiting.items:
            if active.is_overdue(now_s):
                self._waiting.drop(active.job.id)
                steps += _broken_off(active.with_copies)

    def _let_in(self, steps: list[JobStep]) -> None:
        """Gives rows to jobs that wait, as many as the device can read side by side with those that it reads."""
        while (newcomer := self._next_in()) is not None and self._make_room_for(newcomer):
            self._waiting.take(newcomer.job.id)
            try:
                self._insert(newcomer)
            except Exception as error:
                logger.exception("Job %s was not begun", newcomer.job.id)
                steps.append(_failed(newcomer.job.id, "The engine could not begin", error))

    def _next_in(self) -> ActiveJob | None:
        if not self._waiting:
            return None
        return next_in(
            self._waiting,
            list(self._jobs.values()),
            has_free_row=len(_all(self._jobs.values())) < MAX_ROWS,
            lanes=self._pacing.lanes(
                decoding_rows=self._generator.decoding_rows,
                prompts=self._generator.prompt_rows + len(self._waiting),
            ),
            is_long=lambda active: self._pacing.is_long(active.unread_tokens),
        )

    def _make_room_for(self, newcomer: ActiveJob) -> bool:
        """Sees to it that there is a row and the memory for it, and returns whether there is."""
        while not self._has_room_for(newcomer):
            paused = who_makes_room(newcomer, list(self._jobs.values()))
            if paused is None:
                return False
            self._pause(paused)
        return True

    def _pause(self, active: ActiveJob) -> None:
        for uid in [uid for uid, running in self._jobs.items() if running is active]:
            self._keep_running(uid)
            self._drop(uid)
        active.pause()
        self._enqueue(active)

    def _enqueue(self, active: ActiveJob) -> None:
        """Lets a job wait for a row, from where it is; what is computed already will not be read again."""
        tokens = active.progress.prompt + active.progress.answer
        active.unread_tokens = len(tokens) - self._prefixes.known_tokens(active.job.owner, tokens)
        self._waiting.add(active.job, active)

    def _has_room_for(self, newcomer: ActiveJob) -> bool:
        rows = _all([*self._jobs.values(), newcomer])
        return len(rows) <= MAX_ROWS and self._has_memory(self._promised_bytes(rows))

    def _promised_bytes(self, rows: Sequence[ActiveJob]) -> int:
        """A batch pads its rows, so each may come to take what the longest takes."""
        longest_tokens = max((row.longest_tokens for row in rows), default=0)
        return len(rows) * self.language_model.memory.sequence_bytes(longest_tokens)

    def _insert(self, active: ActiveJob) -> None:
        job, progress = active.job, active.progress
        told = len(progress.answer)
        uid = self._generator.insert_row(
            list(progress.prompt + progress.answer),
            max_tokens=active.max_tokens - told,
            sampler=active.begin_row(),
            logits_processors=make_logits_processors(job.sampling, prompt_tokens=len(progress.prompt)),
            copies=[copy.begin_row() for copy in active.copies],
        )
        self._jobs[uid] = active

    def _advance(self) -> tuple[list[Any], list[Any]]:
        """Lets the generator do one step of a size that the pacing allows, and the pacing learn from it."""
        decoding_rows, prompt_rows = self._generator.decoding_rows, self._generator.prompt_rows
        piece_tokens = self._pacing.plan(decoding_rows=decoding_rows, prompt_rows=prompt_rows)
        step = self._generator.next(piece_tokens=piece_tokens)
        self._pacing.observe(
            decoding_rows=decoding_rows,
            decode_s=step.decode_s,
            prompt_tokens=step.prompt_tokens,
            prompt_s=step.prompt_s,
        )
        return step.prompt_responses, step.token_responses

    def _collect(self, uid: int, tokens: tuple[int, ...], events: Iterator[GenerationEvent]) -> JobStep:
        """Runs one job's own code on what the generator reported; what it raises ends that job alone."""
        active = self._jobs[uid]
        job_id = active.job.id
        try:
            step = JobStep(job_id=job_id, tokens=tokens, outputs=tuple(events), untold=active.untold)
        except CortexError as error:
            step = JobStep(job_id=job_id, outputs=(error,))
        except Exception as error:
            logger.exception("Reading the answer of job %s failed", job_id)
            step = _failed(job_id, "The answer could not be read", error)
        if step.is_last:
            self._keep_running(uid)  # a stop text ends what the generator would go on with
            self._drop(uid)
        return step

    def _drop(self, uid: int) -> None:
        """Forgets a job; does nothing in the generator when that has ended it already."""
        self._generator.remove([uid])
        del self._jobs[uid]

    def _find_prefix(self, uid: int, tokens: list[int]) -> tuple[int, Sequence[KVCache]]:
        active = self._jobs.get(uid)
        if active is None:
            return 0, ()  # a warm-up
        if active.reads_whole_prompt:
            active.take_reuse(0, None)
            return 0, ()
        prompt_tokens = len(active.progress.prompt)
        found = self._prefixes.find(
            active.job.owner, tokens, worth_tokens=self._pacing.tokens_read_in(reuse_overhead_s())
        )
        if not active.has_begun:
            self._prefixes.count(prompt_tokens=prompt_tokens, cached_tokens=min(found.tokens, prompt_tokens))
        active.take_reuse(found.tokens, self._cache_miss(active, tokens[:prompt_tokens], found))
        return found.tokens, found.caches

    def _cache_miss(self, active: ActiveJob, prompt: list[int], found: FoundPrefix) -> CacheMiss | None:
        if found.reason is None or found.tokens >= len(prompt):
            return None
        message_index = message_at(self.language_model.tokenizer, active.job.messages, prompt, found.tokens)
        return CacheMiss(reason=found.reason, message_index=message_index, token_position=found.tokens)

    def _keep_running(self, uid: int) -> None:
        """Keeps what the generator has computed for a sequence, if it still has it."""
        if (extracted := self._generator.extract_cache(uid)) is not None:
            caches, tokens = extracted
            self._keep(uid, tokens, caches)

    def _keep_read(self, uid: int, done_tokens: int, *, has_read: bool) -> None:
        """Keeps what was read of a prompt, when it is enough to be worth it; whole blocks until the prompt ends."""
        active = self._jobs.get(uid)
        if active is None or done_tokens - (0 if has_read else active.kept_tokens) < KEPT_EARLY_TOKENS:
            return
        active.kept_tokens = done_tokens
        if (extracted := self._generator.extract_cache(uid)) is not None:
            caches, tokens = extracted
            self._keep(uid, tokens if has_read else tokens[: len(tokens) // BLOCK_TOKENS * BLOCK_TOKENS], caches)

    def _keep(self, uid: int, tokens: Sequence[int], caches: Sequence[KVCache]) -> None:
        with mx.stream(self._generator.stream):
            active = self._jobs[uid]
            self._prefixes.keep(active.job.owner, tokens, caches, prompt_tokens=len(active.progress.prompt))

    def _make_groups(self) -> LengthGroups:
        memory = self.language_model.memory
        token_bytes = memory.kv_cache.bytes_per_token if memory.kv_cache is not None else 0
        can_part = token_bytes and self.language_model.draft is None
        return LengthGroups(
            self._make_generator, max_padding_tokens=memory.weights_bytes // token_bytes if can_part else None
        )

    def _make_generator(self, first_uid: int) -> LeanBatchGenerator:
        model = self.language_model
        if model.draft is None:
            return LeanBatchGenerator(model, rows=MAX_ROWS, find_prefix=self._find_prefix, first_uid=first_uid)
        return SpeculativeBatchGenerator(model, model.draft, rows=MAX_ROWS, find_prefix=self._find_prefix)


def _all(actives: Iterable[ActiveJob]) -> list[ActiveJob]:
    return [member for active in actives for member in active.with_copies]


def _broken_off(actives: Iterable[ActiveJob]) -> list[JobStep]:
    return [JobStep(job_id=active.job.id, outputs=tuple(active.break_off())) for active in actives]


def _failed(job_id: JobId, what: str, error: Exception) -> JobStep:
    # Only the error's type: what it says may quote the prompt or the answer.
    return JobStep(job_id=job_id, outputs=(GeneratorFailedError(f"{what}: {type(error).__name__}."),))


def _why_all_ended(error: Exception) -> CortexError:
    if is_out_of_memory(error):
        return GeneratorBusyError(
            "There was too little memory to go on. Ask for shorter answers, or for fewer at a time.",
            reason=UnavailableReason.MEMORY_PRESSURE,
            retry_after_s=MEMORY_RETRY_AFTER_S,
        )
    return GeneratorFailedError(f"The engine failed while generating: {error}")
