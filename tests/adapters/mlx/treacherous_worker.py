"""The worker process, with an engine that obeys marks in prompts and model ids: it dies of them, or prints.

usage: python treacherous_worker.py

What dies here dies as a defect in MLX would: by a signal, within the engine, on its thread.
"""

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from cortex_adapters.mlx import worker
from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.jobs import Job
from cortex_adapters.mlx.model_batch import ModelBatch
from cortex_domain.language_models import LoadOptions, ModelFiles

ABORTS_WHEN_ADMITTED = "[abort when admitted]"
ABORTS_AT_TOKEN_8 = "[abort at token 8]"
PRINTS = "[print]"
RAISES_WHEN_ADMITTED = "[raise when admitted]"
RAISES_AT_TOKEN_8 = "[raise at token 8]"
ABORTING_MODEL = "tests/aborting"


def _before(method: Callable[..., Any], act: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(*args: Any, **options: Any) -> Any:
        act(*args)
        return method(*args, **options)

    return wrapped


def _on_admission(_batch: ModelBatch, job: Job, *_: object) -> None:
    if ABORTS_WHEN_ADMITTED in job.messages[0].text:
        os.abort()
    if PRINTS in job.messages[0].text:
        print("This is no frame.", flush=True)  # noqa: T201 - what a library might do
        os.write(1, b"Nor is this.\n")
    if RAISES_WHEN_ADMITTED in job.messages[0].text:
        _raise(job.messages[0].text)


def _on_load(_engine: Engine, files: ModelFiles, _options: LoadOptions | None) -> None:
    if files.model_id == ABORTING_MODEL:
        os.abort()


def _raise(text: str) -> NoReturn:
    raise ValueError(text)


def _aborting_take_token(take_token: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def wrapped(active: ActiveJob, *args: Any) -> Iterator[Any]:
        if ABORTS_AT_TOKEN_8 in active.job.messages[0].text and len(active.progress.answer) == 7:
            os.abort()
        if RAISES_AT_TOKEN_8 in active.job.messages[0].text and len(active.progress.answer) == 7:
            return map(_raise, [active.job.messages[0].text])
        return take_token(active, *args)

    return wrapped


if __name__ == "__main__":
    ModelBatch.admit = _before(ModelBatch.admit, _on_admission)  # type: ignore[method-assign]
    Engine.load = _before(Engine.load, _on_load)  # type: ignore[method-assign]
    ActiveJob.take_token = _aborting_take_token(ActiveJob.take_token)  # type: ignore[method-assign]
    worker.main()
