"""A job while the engine works on it: its text so far, its counts, its times."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import repeat

from cortex_adapters.mlx.answer_text import AnswerText
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.channel_text import Piece
from cortex_adapters.mlx.grammar_compiler import CompiledGrammar
from cortex_adapters.mlx.jobs import Job, JobProgress
from cortex_adapters.mlx.prompt_echo import PromptEcho
from cortex_adapters.mlx.token_constraint import TokenConstraint
from cortex_adapters.mlx.tool_call_reader import ToolCallReader
from cortex_domain.events import GenerationEvent, GenerationFinished, PrefillProgress, TextDelta
from cortex_domain.generation import CacheMiss, FinishReason, GenerationTimings, TokenUsage
from cortex_domain.token_logprobs import TokenLogprob


class ActiveJob:
    """Turns what the batch generator reports about one sequence into events.

    A job that goes on from another engine's progress reads what was drawn there in silence: its readers have it.

    Attributes:
        job: The job.
        max_tokens: Longest answer, in tokens.
        unread_tokens: Tokens that the batch has to read before it draws the next one.
        kept_tokens: Tokens that this row had computed when its prompt was last kept for reuse.
        copies: The job's copies, until its prompt has been read; they share its row until then.
    """

    def __init__(
        self,
        job: Job,
        progress: JobProgress,
        text: AnswerText,
        *,
        max_tokens: int,
        copies: "Sequence[ActiveJob]" = (),
        grammar: CompiledGrammar | None = None,
        calls: ToolCallReader | None = None,
        echo: PromptEcho | None = None,
    ) -> None:
        self.job = job
        self.max_tokens = max_tokens
        self.copies = copies
        self.unread_tokens = len(progress.prompt) + len(progress.answer)
        self.kept_tokens = 0
        self._grammar = grammar
        self._constraint: TokenConstraint | None = None
        self._prompt = progress.prompt
        self._text = text
        self._calls = calls
        self._echo = echo
        self._unread_logprobs: tuple[TokenLogprob, ...] = ()
        self._answer = list(progress.answer)
        self._row_cached_tokens = 0
        self._usage: tuple[int, CacheMiss | None] | None = None
        self._prefill_began_s: float | None = None
        self._prefill_ended_s: float | None = None
        self._first_token_s = progress.first_token_s
        known = len(progress.answer) - len(progress.untold)
        for token, logprob in zip(progress.answer, (*repeat(None, known), *progress.untold), strict=True):
            deque(self._told(text.push(token, logprob)), maxlen=0)

    @property
    def progress(self) -> JobProgress:
        """How far the job is."""
        return JobProgress(
            prompt=self._prompt,
            answer=tuple(self._answer),
            first_token_s=self._first_token_s,
            untold=self.untold,
            has_echoed=self.job.echo and self._echo is None,
        )

    @property
    def untold(self) -> tuple[TokenLogprob, ...]:
        """The last tokens drawn, of which its reader has not been told; none unless it asked."""
        return (*self._unread_logprobs, *self._text.untold)

    @property
    def reads_whole_prompt(self) -> bool:
        """Whether no token of its prompt may be computed already, because each is told."""
        return self._echo is not None and self._echo.tells_tokens

    @property
    def with_copies(self) -> "Sequence[ActiveJob]":
        """The job, and what shares its row."""
        return (self, *self.copies)

    def begin_row(self) -> RowSampler:
        """Makes what the job draws with in a row of its own, from where its answer is."""
        if self._grammar is not None:
            self._constraint = self._grammar.begin(self._prompt, self._answer)
        return RowSampler(
            self.job.sampling,
            position=len(self._answer),
            constraint=self._constraint,
            logprobs=self.job.logprobs,
            prompt_reader=None if self._echo is None else self._echo.begin(),
        )

    def part(self) -> "Sequence[ActiveJob]":
        """Returns the copies, which have a row each from now on."""
        copies, self.copies = self.copies, ()
        for copy in copies:
            copy.take_reuse(self._row_cached_tokens, None)
            copy.take_echo(self._echo)
        return copies

    def take_echo(self, echo: PromptEcho | None) -> None:
        """Takes what the job that read the prompt for it gives back of it."""
        self._echo = echo

    @property
    def longest_tokens(self) -> int:
        """Length that the job's sequence may come to, prompt included."""
        return len(self._prompt) + self.max_tokens

    @property
    def has_begun(self) -> bool:
        """Whether it has had a row."""
        return self._usage is not None

    def is_overdue(self, now_s: float) -> bool:
        """Tells whether the job's deadline has passed, at a moment of `time.monotonic`."""
        return self.job.deadline_s is not None and now_s >= self.job.deadline_s

    def break_off(self) -> Iterator[GenerationEvent]:
        """Ends the answer with what it has."""
        yield from self._told(self._text.flush())
        yield from self._end(FinishReason.CANCELLED)

    def pause(self) -> None:
        """Takes the news that the job has lost its row; the next one begins with nothing."""
        self._row_cached_tokens = 0
        self.kept_tokens = 0

    def take_reuse(self, cached_tokens: int, cache_miss: CacheMiss | None) -> None:
        """Takes the news that a row begins with this many tokens computed, and why not more.

        Its first row counts: what a later one reuses is what the job itself has computed before it was paused.
        """
        self._row_cached_tokens = cached_tokens
        self._usage = self._usage or (min(cached_tokens, len(self._prompt)), cache_miss)

    def take_progress(
        self, computed_tokens: int, *, unread_tokens: int, step_began_s: float
    ) -> Iterator[GenerationEvent]:
        """Takes the news that a row has computed `computed_tokens`, in a step that began at `step_began_s`."""
        processed_tokens = self._row_cached_tokens + computed_tokens
        self.unread_tokens = unread_tokens
        if self._prefill_began_s is None:
            self._prefill_began_s = step_began_s
        self._prefill_ended_s = time.monotonic()
        total_tokens = len(self._prompt)
        yield PrefillProgress(processed_tokens=min(processed_tokens, total_tokens), total_tokens=total_tokens)
        if unread_tokens == 0 and self._echo is not None:
            yield self._echo.as_delta()
            self._echo = None

    def take_token(
        self, token: int, finish_reason: str | None, logprob: TokenLogprob | None = None
    ) -> Iterator[GenerationEvent]:
        """Takes the next token.

        Args:
            token: Its id.
            finish_reason: mlx-lm's word on whether it ends the answer: `stop`, `length` or None.
            logprob: What there is to tell of it; None when nobody asked.

        Raises:
            InvalidRequestError: The grammar that the answer is held to cannot be followed any further.
        """
        if self._constraint is not None:
            self._constraint.require_sound()
        self._answer.append(token)
        if self._first_token_s is None:
            self._first_token_s = time.monotonic()
        if finish_reason != "stop":  # an end token is not text
            yield from self._told(self._text.push(token, logprob))
        is_over = self._text.stopped or (self._calls is not None and self._calls.is_done)
        if finish_reason is not None and not is_over:
            yield from self._told(self._text.flush())
        if is_over:
            yield from self._end(FinishReason.STOP)
        elif finish_reason is not None:
            yield from self._end(FinishReason(finish_reason))

    def _told(self, pieces: Sequence[Piece]) -> Iterator[GenerationEvent]:
        """Tells pieces of the answer, what they have of tool calls as such."""
        for piece in pieces:
            if self._calls is None or not isinstance(piece, TextDelta):
                yield piece
                continue
            self._unread_logprobs += piece.logprobs
            for event in self._calls.push(piece.text):
                # Tokens of calls are not told; those of text that may become one come with the text before it.
                told, self._unread_logprobs = self._unread_logprobs, ()
                yield replace(event, logprobs=told) if isinstance(event, TextDelta) and told else event

    def _end(self, finish_reason: FinishReason) -> Iterator[GenerationEvent]:
        if self._calls is not None:
            yield from self._calls.end()
            if finish_reason is FinishReason.STOP and self._calls.has_whole_calls:
                finish_reason = FinishReason.TOOL_CALLS
        yield self._finish(finish_reason)

    def _finish(self, finish_reason: FinishReason) -> GenerationFinished:
        cached_tokens, cache_miss = self._usage or (0, None)
        usage = TokenUsage(
            prompt_tokens=len(self._prompt),
            cached_prompt_tokens=cached_tokens,
            cache_miss=cache_miss,
            completion_tokens=len(self._answer),
            reasoning_tokens=self._text.reasoning_tokens,
        )
        return GenerationFinished(
            finish_reason=finish_reason,
            usage=usage,
            timings=self._timings(),
            stop_text=self._text.stop_text,
            detail=self._calls.fault if self._calls is not None else None,
        )

    def _timings(self) -> GenerationTimings:
        now_s = time.monotonic()
        first_token_s = now_s if self._first_token_s is None else self._first_token_s
        # A job that changed engines has its first token before the prefill that it repeated.
        prefill_ended_s = min(first_token_s, first_token_s if self._prefill_ended_s is None else self._prefill_ended_s)
        prefill_began_s = prefill_ended_s if self._prefill_began_s is None else self._prefill_began_s
        prefill_began_s = min(prefill_began_s, prefill_ended_s)
        decode_s = now_s - first_token_s
        return GenerationTimings(
            queue_ms=_ms(prefill_began_s - self.job.accepted_s),
            prefill_ms=_ms(prefill_ended_s - prefill_began_s),
            time_to_first_token_ms=_ms(first_token_s - self.job.accepted_s),
            tokens_per_second=round((len(self._answer) - 1) / decode_s, 2) if decode_s > 0 else 0.0,
        )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
