"""An engine driven by hand, on this thread, with prompts given as tokens."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_options import EngineOptions
from cortex_adapters.mlx.grammars import Grammar
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress, JobStep
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits
from cortex_domain.errors import CortexError
from cortex_domain.events import GenerationFinished, PrefillProgress
from cortex_domain.generation import CacheMiss, FinishReason, SamplingParameters, TokenUsage
from cortex_domain.language_models import LoadOptions, ModelFiles
from cortex_domain.messages import user_message

GREEDY = SamplingParameters(temperature=0)
MAX_TOKENS = 24


@dataclass(frozen=True)
class Ask:
    """One job for the engine.

    `answer` is what another engine has drawn already; `cancel_after` ends it when so many steps did something for it.
    """

    prompt: Sequence[int]
    answer: Sequence[int] = ()
    sampling: SamplingParameters = GREEDY
    owner: str = ""
    grammar: Grammar | None = None
    max_tokens: int = MAX_TOKENS
    cancel_after: int | None = None


@dataclass
class Run:
    """What came of it; no usage when it was cancelled."""

    tokens: list[int]
    progress: list[PrefillProgress]
    usage: TokenUsage | None = None
    finish_reason: FinishReason | None = None
    error: CortexError | None = None
    steps: int = 0
    is_over: bool = False

    @property
    def cached_tokens(self) -> int:
        assert self.usage is not None
        return self.usage.cached_prompt_tokens

    @property
    def cache_miss(self) -> CacheMiss | None:
        assert self.usage is not None
        return self.usage.cache_miss

    def take(self, step: JobStep) -> None:
        self.steps += 1
        self.tokens += step.tokens
        for output in step.outputs:
            if isinstance(output, PrefillProgress):
                self.progress.append(output)
            elif isinstance(output, GenerationFinished):
                self.usage = output.usage
                self.finish_reason = output.finish_reason
                self.is_over = True
            elif isinstance(output, CortexError):
                self.error = output
                self.is_over = True


class DrivenEngine:
    """Calls `after_step` after each step."""

    def __init__(
        self,
        files: ModelFiles,
        limits: PrefixCacheLimits,
        after_step: Callable[[Engine], None],
        options: LoadOptions | None,
    ) -> None:
        self.engine = Engine(EngineOptions(prefix_cache=limits))
        self.model_id = files.model_id
        self.model = self.engine.load(files, options)
        self._after_step = after_step
        self.last_job_id = JobId(-1)
        self._runs: dict[JobId, tuple[Ask, Run]] = {}

    def ask(self, prompt: Sequence[int], **options: Any) -> Run:
        """Runs one job, and all that were begun before it, to their end."""
        [run] = self.ask_all([Ask(prompt, **options)])
        return run

    def ask_all(self, asks: Sequence[Ask]) -> list[Run]:
        runs = [self.begin(ask) for ask in asks]
        while not all(run.is_over for _, run in self._runs.values()):
            if self.engine.has_work:
                self.step()
            else:
                time.sleep(0.001)  # something comes from disk
        return runs

    def text_of(self, run: Run) -> str:
        """The answer without its end token."""
        text: str = self.model.tokenizer.decode(run.tokens, skip_special_tokens=True)
        return text

    def end(self) -> None:
        """Leaves as little behind as `close` would, without ending MLX on this thread."""
        self.engine.unload(self.model_id)
        self.engine._prefix_cache.close()

    def begin(self, ask: Ask) -> Run:
        job_id = JobId(len(self._runs))
        job = Job(
            id=job_id,
            model_id=self.model_id,
            messages=(user_message("?"),),
            sampling=ask.sampling,
            max_tokens=ask.max_tokens,
            default_max_tokens=ask.max_tokens,
            stop=(),
            owner=ask.owner,
            grammar=ask.grammar,
            accepted_s=time.monotonic(),
        )
        progress = JobProgress(prompt=tuple(ask.prompt), answer=tuple(ask.answer))
        self.last_job_id = job_id
        self._runs[job_id] = ask, Run(list(ask.answer), [])
        grammar = None if ask.grammar is None else self.model.grammars.compile(ask.grammar)
        assert self.engine.admit(job, progress, max_tokens=ask.max_tokens, grammar=grammar) == []
        return self._runs[job_id][1]

    def step(self) -> None:
        for step in self.engine.step():
            ask, run = self._runs[step.job_id]
            run.take(step)
            if run.steps == ask.cancel_after:
                self.engine.cancel(step.job_id)
                run.is_over = True
        self._after_step(self.engine)


@contextmanager
def driven_engine(
    files: ModelFiles,
    limits: PrefixCacheLimits = PrefixCacheLimits(),
    after_step: Callable[[Engine], None] = lambda _: None,
    options: LoadOptions | None = None,
) -> Iterator[DrivenEngine]:
    driven = DrivenEngine(files, limits, after_step, options)
    try:
        yield driven
    finally:
        driven.end()
