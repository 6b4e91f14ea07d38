"""A job as its host sees it: its stream, and all that another engine needs to go on."""

import asyncio
import time
from dataclasses import replace

from cortex_adapters.mlx.job_stream import JobStream
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress, JobStep
from cortex_domain.errors import CortexError
from cortex_domain.events import GenerationFinished, PrefillProgress, TextDelta
from cortex_domain.generation import FinishReason, GenerationTimings, TokenUsage
from cortex_domain.token_logprobs import TokenLogprob


class OpenJob:
    """One job from its submission to its end, over however many engines.

    Attributes:
        job: The job.
        stream: Where its reader waits.
        accepted: Length of its prompt in tokens, once an engine has accepted it; or why none did.
        is_fruitless: Whether the engine that has it has drawn no token for it yet.
        suspicion: How much speaks for engines having died of it; none once a token was drawn for it.
        copies: Its copies, which engines get with it until it is accepted, and each for itself from then on.

    Args:
        job: The job.
        leader: The job that this one is a copy of; they are accepted, or refused, together.
    """

    def __init__(self, job: Job, *, leader: "OpenJob | None" = None) -> None:
        self.job = job
        self._is_copy = leader is not None
        self.stream: JobStream = JobStream(None if leader is None else leader.stream.arrived)
        self.accepted: asyncio.Future[int] = (
            asyncio.get_running_loop().create_future() if leader is None else leader.accepted
        )
        self.copies = tuple(OpenJob(copy, leader=self) for copy in job.as_copies())
        self.is_fruitless = False
        self.suspicion = 0
        self._prompt: tuple[int, ...] | None = None
        self._answer: list[int] = []
        self._untold: tuple[TokenLogprob, ...] = ()
        self._has_echoed = False
        self._processed_tokens = 0
        self._first_token_s: float | None = None
        self._set_aside_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the engine has nothing more to do for it; its reader may still have to read."""
        return self.stream.is_complete

    @property
    def goes_with_leader(self) -> bool:
        """Whether it is nothing for itself yet: the copy of a job that was not accepted."""
        return self._is_copy and self._prompt is None

    @property
    def sent_together(self) -> "tuple[OpenJob, ...]":
        """The jobs that an engine gets when it gets this one."""
        return (self, *(copy for copy in self.copies if copy.goes_with_leader))

    @property
    def known_tokens(self) -> int:
        """Tokens that it keeps: its prompt's and its answer's."""
        return len(self._prompt or ()) + len(self._answer)

    @property
    def progress(self) -> JobProgress | None:
        """How far the job is; None before it was accepted."""
        if self._prompt is None:
            return None
        return JobProgress(
            prompt=self._prompt,
            answer=tuple(self._answer),
            first_token_s=self._first_token_s,
            untold=self._untold,
            has_echoed=self._has_echoed,
        )

    def set_aside(self) -> None:
        """Takes the news that no engine has it any more, for the time being."""
        self.is_fruitless = False
        self._set_aside_s = time.monotonic()

    def become(self, job_id: JobId) -> None:
        """Goes on under another id, in the queue again; what it tells of its times leaves out that it was set aside."""
        pause_s = time.monotonic() - self._set_aside_s
        self.job = replace(self.job, id=job_id, accepted_s=self.job.accepted_s + pause_s)
        if self._first_token_s is not None:
            self._first_token_s += pause_s
        self.stream.has_begun = False

    def accept(self, prompt: tuple[int, ...]) -> None:
        """Takes the news that an engine accepted the job, and so its copies."""
        self._prompt = prompt
        self.job = replace(self.job, copies=())
        for copy in self.copies:
            copy.accept(prompt)
        if not self.accepted.done():
            self.accepted.set_result(len(prompt))

    def take(self, step: JobStep) -> None:
        """Takes what a step did for the job."""
        if step.tokens:
            self.is_fruitless = False
            self.suspicion = 0
            self._first_token_s = self._first_token_s or time.monotonic()
            self._answer += step.tokens
            self._untold = step.untold
        for output in step.outputs:
            self._has_echoed = self._has_echoed or (self.job.echo and isinstance(output, TextDelta))
            if isinstance(output, CortexError):
                self.fail(output)
            elif not isinstance(output, PrefillProgress) or self._is_news(output):
                self.stream.put(output)

    def fail(self, error: CortexError) -> None:
        """Ends the job with an error: a refusal before it was accepted, the last of its stream afterwards."""
        if self.accepted.done():
            self.stream.put(error)
        else:
            self.accepted.set_exception(error)

    def break_off(self) -> None:
        """Ends an accepted job with what was heard of it, as cancelled."""
        assert self._prompt is not None
        now_s = time.monotonic()
        first_token_s = now_s if self._first_token_s is None else self._first_token_s
        waited_ms, answered_s = 1000 * (first_token_s - self.job.accepted_s), now_s - first_token_s
        later_tokens = max(len(self._answer) - 1, 0)
        self.stream.put(
            GenerationFinished(
                finish_reason=FinishReason.CANCELLED,
                usage=TokenUsage(prompt_tokens=len(self._prompt), completion_tokens=len(self._answer)),
                # When the engine began to read the prompt was not heard: all of the wait counts as the queue's.
                timings=GenerationTimings(
                    queue_ms=waited_ms,
                    prefill_ms=0.0,
                    time_to_first_token_ms=waited_ms,
                    tokens_per_second=later_tokens / answered_s if answered_s > 0 else 0.0,
                ),
            )
        )

    def _is_news(self, progress: PrefillProgress) -> bool:
        """Tells whether this is more than readers know: a new engine reads the prompt from its beginning."""
        is_news = not (self._answer or self._has_echoed) and progress.processed_tokens >= self._processed_tokens
        self._processed_tokens = max(self._processed_tokens, progress.processed_tokens)
        return is_news
