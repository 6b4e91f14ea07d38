"""The engine: owns every MLX object, does one thing at a time, on whatever single thread calls it."""

import gc
from collections.abc import Iterable

from cortex_adapters.mlx.device import MemoryUse, leave_thread, memory_use, release_cached_memory
from cortex_adapters.mlx.jobs import Job, JobId, JobOutput
from cortex_adapters.mlx.model_batch import ModelBatch
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_domain.errors import CortexError, ModelNotLoadedError, ShuttingDownError
from cortex_domain.language_models import ModelFiles, ModelId
from cortex_domain.ports import Clock


class Engine:
    """Loads models and advances jobs, step by step.

    Plain synchronous code without locks: MLX binds work to threads, so one thread makes the engine, calls it and closes
    it. What goes in and comes out are plain values, except the `LanguageModel`, whose tokenizer others may read.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._batches: dict[ModelId, ModelBatch] = {}

    @property
    def has_work(self) -> bool:
        """Whether `step` would do anything."""
        return any(batch.has_work for batch in self._batches.values())

    def load(self, files: ModelFiles, /) -> LanguageModel:
        """Loads a model, or returns it when it is loaded.

        Raises:
            InvalidModelError: The files are not a model that mlx-lm runs.
            InsufficientMemoryError: The model does not fit.
        """
        batch = self._batches.get(files.model_id)
        if batch is None:
            batch = ModelBatch(load_language_model(files), clock=self._clock)
            self._batches[files.model_id] = batch
        return batch.language_model

    def unload(self, model_id: ModelId, /) -> list[JobOutput]:
        """Frees a model's memory and ends its jobs with `ModelNotLoadedError`."""
        return self._discard([model_id], ModelNotLoadedError(model_id=model_id))

    def admit(self, job: Job, /) -> list[JobOutput]:
        """Takes a job; one whose model is gone ends at once."""
        batch = self._batches.get(job.model_id)
        if batch is None:
            return [JobOutput(job.id, ModelNotLoadedError(model_id=job.model_id))]
        return batch.admit(job)

    def cancel(self, job_id: JobId, /) -> list[JobOutput]:
        """Drops a job and frees its place; a job that is over, or never was, is left alone."""
        return [output for batch in self._batches.values() for output in batch.cancel(job_id)]

    def step(self) -> list[JobOutput]:
        """Advances every job of every model once."""
        return [output for batch in self._batches.values() if batch.has_work for output in batch.step()]

    def memory_use(self) -> MemoryUse:
        """Reads the memory that MLX holds."""
        return memory_use()

    def close(self) -> None:
        """Unloads everything and ends MLX's work on this thread; jobs that still ran are dropped without a word."""
        self._discard(list(self._batches), ShuttingDownError("The engine is stopping."))
        leave_thread()

    def _discard(self, model_ids: Iterable[ModelId], reason: CortexError) -> list[JobOutput]:
        outputs: list[JobOutput] = []
        for model_id in model_ids:
            batch = self._batches.pop(model_id, None)
            if batch is not None:
                outputs += batch.close(reason)
                del batch
        # Modules hold reference cycles; only after collecting them does MLX have memory to give back.
        gc.collect()
        release_cached_memory()
        return outputs
