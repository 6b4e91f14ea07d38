"""Carries out a host's commands and advances its jobs, until it is told to stop."""

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_messages import (
    CallFailed,
    CancelJob,
    Command,
    EngineReady,
    EngineStepped,
    JobAccepted,
    LoadModel,
    ModelLoaded,
    ModelUnloaded,
    Report,
    StopEngine,
    SubmitJob,
    UnloadModel,
)
from cortex_adapters.mlx.grammar_compiler import CompiledGrammar
from cortex_adapters.mlx.jobs import Job, JobProgress, JobStep
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_adapters.mlx.prompt_rendering import PromptQueue, RenderedPrompt
from cortex_adapters.mlx.thinking_form import template_arguments
from cortex_domain.errors import (
    ContextWindowExceededError,
    CortexError,
    GeneratorFailedError,
    InvalidRequestError,
)

logger = logging.getLogger(__name__)

GATHERING_S = 0.02
"""Longest time for which the first of several prompts waits for the others. One that comes alone waits for nobody."""


@dataclass(frozen=True, slots=True)
class EngineNews:
    """The engine may have work that it had not before."""


CommandQueue = queue.SimpleQueue[Command | RenderedPrompt | EngineNews]
"""What waits for the loop: a host's commands, prompts that its own threads have rendered, and news."""


class EngineLoop:
    """Runs an engine on the thread that calls `run`.

    Args:
        engine: Made on that thread, and closed by `run`.
        commands: Where commands arrive.
        report: Takes what is said to the host, in order.
    """

    def __init__(self, engine: Engine, commands: CommandQueue, report: Callable[[Report], None]) -> None:
        self._engine = engine
        self._commands = commands
        self._report = report
        self._prompts = PromptQueue(commands.put)
        self._told_use = engine.prefix_cache_use()
        engine.on_news = lambda: commands.put(EngineNews())
        self._gathering_ends_s: float | None = None

    def run(self) -> None:
        """Returns after `StopEngine`."""
        self._report(EngineReady())
        try:
            while self._obey():
                self._tell(self._engine.step())
        finally:
            self._prompts.close()
            self._engine.close()

    def _obey(self) -> bool:
        """Carries out what is waiting, and waits for a command when there is nothing else to do."""
        while (command := self._next_command()) is not None:
            if isinstance(command, StopEngine):
                return False
            self._carry_out(command)
        return True

    def _next_command(self) -> Command | RenderedPrompt | EngineNews | None:
        """Takes a command; None when the engine should rather go on."""
        if not self._engine.has_work:
            return self._commands.get()
        try:
            return self._commands.get(timeout=self._patience_s())
        except queue.Empty:
            return None

    def _patience_s(self) -> float:
        """Seconds for which work that could begin waits for prompts that are being rendered, to be read with them."""
        if self._engine.has_begun or not self._prompts.is_busy:
            self._gathering_ends_s = None
            return 0.0
        now_s = time.monotonic()
        self._gathering_ends_s = self._gathering_ends_s or now_s + GATHERING_S
        return max(self._gathering_ends_s - now_s, 0.0)

    def _carry_out(
        self, command: LoadModel | UnloadModel | SubmitJob | CancelJob | RenderedPrompt | EngineNews
    ) -> None:
        match command:
            case LoadModel():
                self._call(command.call_id, lambda: self._load(command))
            case UnloadModel():
                self._call(command.call_id, lambda: self._unload(command))
            case SubmitJob():
                self._begin(command.job, lambda: self._submit(command))
            case RenderedPrompt():
                self._begin(command.job, lambda: self._accept(command))
            case CancelJob():
                self._prompts.drop(command.job_id)
                self._tell(self._engine.cancel(command.job_id))
            case EngineNews():
                self._tell([])

    def _call(self, call_id: int, carry_out: Callable[[], Report]) -> None:
        try:
            self._report(carry_out())
        except CortexError as error:
            self._fail_call(call_id, error)
        except Exception as error:
            logger.exception("The engine failed")
            self._fail_call(call_id, GeneratorFailedError(f"The engine failed: {error}"))

    def _fail_call(self, call_id: int, error: CortexError) -> None:
        self._report(CallFailed(call_id=call_id, error=error, memory_use=self._engine.memory_use()))

    def _load(self, command: LoadModel) -> ModelLoaded:
        model = self._engine.load(command.files, command.options).as_loaded()
        return ModelLoaded(call_id=command.call_id, model=model, memory_use=self._engine.memory_use())

    def _unload(self, command: UnloadModel) -> ModelUnloaded:
        self._tell(self._engine.unload(command.model_id))
        return ModelUnloaded(
            call_id=command.call_id,
            memory_use=self._engine.memory_use(),
            prefix_cache_use=self._engine.prefix_cache_use(),
        )

    def _begin(self, job: Job, begin: Callable[[], None]) -> None:
        try:
            begin()
        except CortexError as error:
            self._tell([JobStep(job_id=job.id, outputs=(error,))])

    def _submit(self, command: SubmitJob) -> None:
        job = command.job
        language_model = self._engine.language_model(job.model_id)
        if command.progress is not None:
            self._submit_known(job, command.progress, language_model)
            return
        _require_known_tokens(job, language_model)
        self._prompts.add(
            job,
            language_model.tokenizer,
            context_window=None if job.counts_only else language_model.context_window,
            special_texts=language_model.special_texts,
            compile_grammar=partial(_compiled, language_model),
            tool_form=language_model.tools,
            reasoning_key=language_model.thinking.message_key if language_model.thinking else None,
            template_arguments=template_arguments(language_model.thinking, job.reasoning_effort, model_id=job.model_id),
        )

    def _submit_known(self, job: Job, progress: JobProgress, language_model: LanguageModel) -> None:
        if job.grammar is None and job.tools is None:
            self._admit(job, progress, language_model)
        else:
            self._prompts.add_known(job, progress, compile_grammar=partial(_compiled, language_model))

    def _accept(self, rendered: RenderedPrompt) -> None:
        if not self._prompts.take_away(rendered):
            return
        if isinstance(rendered.outcome, CortexError):
            raise rendered.outcome
        job, prompt = rendered.job, rendered.outcome
        language_model = self._engine.language_model(job.model_id)
        if rendered.progress is None:
            self._require_fit(job, prompt, language_model)
            self._report(JobAccepted(job_id=job.id, prompt=prompt))
        progress = rendered.progress or JobProgress(prompt=prompt)
        self._admit(job, progress, language_model, grammar=rendered.grammar)

    def _require_fit(self, job: Job, prompt: tuple[int, ...], language_model: LanguageModel) -> None:
        if job.counts_only:
            return
        _require_room(job, prompt, language_model)
        longest_tokens = len(prompt) + _longest_answer(job, prompt, language_model)
        self._engine.require_memory(job.model_id, tokens=longest_tokens, sequences=1 + len(job.copies))

    def _admit(
        self,
        job: Job,
        progress: JobProgress,
        language_model: LanguageModel,
        *,
        grammar: CompiledGrammar | None = None,
    ) -> None:
        if job.counts_only:
            return  # its host has heard the length
        max_tokens = _longest_answer(job, progress.prompt, language_model)
        self._tell(self._engine.admit(job, progress, max_tokens=max_tokens, grammar=grammar))

    def _tell(self, steps: list[JobStep]) -> None:
        use = self._engine.prefix_cache_use()
        if steps or use != self._told_use:
            self._told_use = use
            memory_use = self._engine.memory_use()
            self._report(EngineStepped(steps=tuple(steps), memory_use=memory_use, prefix_cache_use=use))


def _compiled(language_model: LanguageModel, job: Job) -> CompiledGrammar | None:
    """Compiles what a job's answer is held to; None leaves it free."""
    if job.tools is not None:
        return language_model.tools.compile_grammar(job.tools, job.grammar, language_model.grammars.compile)
    return None if job.grammar is None else language_model.grammars.compile(job.grammar)


def _require_known_tokens(job: Job, language_model: LanguageModel) -> None:
    named = {"logit_bias": job.sampling.logit_bias, "prompt": job.prompt if isinstance(job.prompt, tuple) else ()}
    for parameter, tokens in named.items():
        highest = max(tokens, default=0)
        if highest >= language_model.vocabulary_size:
            raise InvalidRequestError(
                f"{parameter} names the token {highest}, but the highest token of {job.model_id!r} is "
                f"{language_model.vocabulary_size - 1}.",
                parameter=parameter,
            )


def _require_room(job: Job, prompt: tuple[int, ...], language_model: LanguageModel) -> None:
    if len(prompt) + (job.max_tokens or 1) > language_model.context_window:
        raise ContextWindowExceededError(
            prompt_tokens=len(prompt), max_tokens=job.max_tokens, context_window=language_model.context_window
        )


def _longest_answer(job: Job, prompt: tuple[int, ...], language_model: LanguageModel) -> int:
    """Returns how many tokens the answer may have."""
    return job.max_tokens or min(language_model.context_window - len(prompt), job.default_max_tokens)
