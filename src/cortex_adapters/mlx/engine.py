"""The engine: owns every MLX object, does one thing at a time, on whatever single thread calls it."""

import gc
from collections.abc import Callable, Iterable
from functools import partial

from cortex_adapters.mlx.device import (
    MemoryUse,
    bound_cached_memory,
    compiles_kernels,
    leave_thread,
    memory_use,
    release_cached_memory,
)
from cortex_adapters.mlx.engine_options import EngineOptions
from cortex_adapters.mlx.grammar_compiler import CompiledGrammar
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress, JobStep
from cortex_adapters.mlx.memory_guard import MemoryGuard
from cortex_adapters.mlx.model_batch import ModelBatch
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_adapters.mlx.prefix_cache import PrefixCache
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheUse
from cortex_domain.errors import InsufficientMemoryError, ModelNotLoadedError
from cortex_domain.language_models import LoadOptions, ModelFiles, ModelId


class Engine:
    """Loads models and advances jobs, step by step.

    Plain synchronous code without locks: MLX binds work to threads, so one thread makes the engine, calls it and closes
    it. What goes in and comes out are plain values, except the `LanguageModel`, whose tokenizer others may read.
    """

    def __init__(self, options: EngineOptions = EngineOptions()) -> None:
        self.on_news: Callable[[], None] = lambda: None
        """Called on some thread when `has_work` may have changed on its own."""
        self._prefix_cache = PrefixCache(options.prefix_cache, self._tell_news)
        self._guard = MemoryGuard(limit_bytes=options.memory_limit_bytes)
        self._batches: dict[ModelId, ModelBatch] = {}
        bound_cached_memory()

    @property
    def has_work(self) -> bool:
        """Whether `step` would do anything."""
        return self._prefix_cache.has_work or any(batch.has_work for batch in self._batches.values())

    @property
    def has_begun(self) -> bool:
        """Whether it is in the middle of something."""
        return any(batch.has_begun for batch in self._batches.values())

    def language_model(self, model_id: ModelId, /) -> LanguageModel:
        """Returns a loaded model.

        Raises:
            ModelNotLoadedError: It is not loaded.
        """
        return self._batch(model_id).language_model

    def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LanguageModel:
        """Loads a model, or returns it when it is loaded with these options, or with any if there are none.

        Raises:
            InvalidModelError: The files are not a model that mlx-lm runs.
            InsufficientMemoryError: The model does not fit.
            LoadOptionRefusedError: An option does not fit the model.
            ModelLoadedOtherwiseError: It is loaded, with other options.
        """
        batch = self._batches.get(files.model_id)
        if batch is None:
            language_model = self._load_language_model(files, options or LoadOptions())
            batch = ModelBatch(language_model, self._prefix_cache, has_memory=partial(self._has_memory, files.model_id))
            if compiles_kernels():
                batch.warm_up()
            self._batches[files.model_id] = batch
        batch.language_model.as_loaded().require_options(options)
        return batch.language_model

    def unload(self, model_id: ModelId, /) -> list[JobStep]:
        """Frees a model's memory and ends its jobs with `ModelNotLoadedError`."""
        return self._discard([model_id])

    def require_memory(self, model_id: ModelId, /, *, tokens: int, sequences: int = 1) -> None:
        """Makes sure that so many sequences of this length could run if they were alone.

        Raises:
            ModelNotLoadedError: The model is not loaded.
            MemoryExceededError: They never could.
            MemoryPressureError: They could not now.
        """
        memory = self.language_model(model_id).memory
        self._guard.require_room_to_run(
            model_id,
            required_bytes=sequences * memory.sequence_bytes(tokens),
            own_bytes=memory.weights_bytes,
            all_bytes=self._weights_bytes(),
        )

    def admit(
        self, job: Job, progress: JobProgress, /, *, max_tokens: int, grammar: CompiledGrammar | None = None
    ) -> list[JobStep]:
        """Takes a job at the point where it is, for an answer of at most `max_tokens` in all, held to a grammar.

        One that cannot be taken ends at once.
        """
        try:
            batch = self._batch(job.model_id)
        except ModelNotLoadedError as error:
            return [JobStep(job_id=job.id, outputs=(error,))]
        return batch.admit(job, progress, max_tokens=max_tokens, grammar=grammar)

    def cancel(self, job_id: JobId, /) -> list[JobStep]:
        """Drops a job and frees its place; a job that is over, or never was, is left alone."""
        return [step for batch in self._batches.values() for step in batch.cancel(job_id)]

    def step(self) -> list[JobStep]:
        """Advances every job of every model once; what is to be kept on disk goes on as far as nobody minds."""
        steps = [step for batch in self._batches.values() if batch.has_work for step in batch.step()]
        self._prefix_cache.advance(is_busy=self.has_begun)
        return steps

    def memory_use(self) -> MemoryUse:
        """Reads the memory that MLX holds."""
        return memory_use()

    def prefix_cache_use(self) -> PrefixCacheUse:
        """Tells what is kept of computed prompts."""
        return self._prefix_cache.use

    def close(self) -> None:
        """Unloads everything and ends MLX's work on this thread; jobs that still ran are dropped without a word."""
        self._discard(list(self._batches))
        self._prefix_cache.close()
        leave_thread()

    def _tell_news(self) -> None:
        self.on_news()

    def _has_memory(self, model_id: ModelId, promised_bytes: int) -> bool:
        """Tells whether the rows of a model may come to take this much; without any rows, one may always run.

        What is kept of computed prompts makes room for rows.
        """
        promised = {other: batch.promised_bytes for other, batch in self._batches.items()}
        others_bytes = sum(promised.values()) - promised[model_id]
        left_bytes = self._guard.capacity_bytes() - self._weights_bytes() - others_bytes - promised_bytes
        if left_bytes < 0 and any(promised.values()):
            return False
        self._prefix_cache.shrink(max(0, left_bytes))
        return True

    def _load_language_model(self, files: ModelFiles, options: LoadOptions) -> LanguageModel:
        try:
            return load_language_model(files, options, guard=self._guard)
        except InsufficientMemoryError:
            if not self._prefix_cache.shrink(0):
                raise
            release_cached_memory()
            return load_language_model(files, options, guard=self._guard)

    def _weights_bytes(self) -> int:
        return sum(batch.language_model.memory.weights_bytes for batch in self._batches.values())

    def _batch(self, model_id: ModelId) -> ModelBatch:
        if model_id not in self._batches:
            raise ModelNotLoadedError(model_id=model_id)
        return self._batches[model_id]

    def _discard(self, model_ids: Iterable[ModelId]) -> list[JobStep]:
        if not self.has_begun:  # otherwise somebody would wait for the disk
            self._prefix_cache.flush()
        steps: list[JobStep] = []
        for model_id in model_ids:
            batch = self._batches.pop(model_id, None)
            if batch is not None:
                steps += batch.close(ModelNotLoadedError(model_id=model_id))
                del batch
        # Modules hold reference cycles; only after collecting them does MLX have memory to give back.
        gc.collect()
        release_cached_memory()
        return steps
