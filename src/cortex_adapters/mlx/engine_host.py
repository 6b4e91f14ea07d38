"""Runs an engine on one thread of its own and connects it to an event loop.

Two sides meet here. The loop's side keeps the streams and the futures of those who wait; the thread's side keeps the
engine. They share a queue of commands one way and `call_soon_threadsafe` the other, once a step however many jobs run.
"""

import asyncio
import contextlib
import itertools
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from cortex_adapters.mlx.device import MemoryUse
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.job_stream import JobStream
from cortex_adapters.mlx.jobs import Job, JobId, JobOutput
from cortex_adapters.mlx.model_loading import LanguageModel
from cortex_domain.errors import CortexError, GeneratorBusyError, GeneratorFailedError, ShuttingDownError
from cortex_domain.events import GenerationStarted
from cortex_domain.language_models import ModelFiles, ModelId

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
_Command = Callable[[Engine], None]

MAX_WAITING_JOBS = 256
_BUSY_RETRY_AFTER_S = 2.0


class EngineHost:
    """Owns the engine's thread.

    Every method belongs to the event loop on which `start` was awaited.

    Attributes:
        language_models: The models in memory, in the order in which they were loaded.
        memory_use: What MLX held after the engine's last step or command.
    """

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self.language_models: dict[ModelId, LanguageModel] = {}
        self.memory_use = MemoryUse()
        self._make_engine = make_engine
        self._commands: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._job_ids = itertools.count(1)
        self._streams: dict[JobId, JobStream] = {}
        self._answers: set[asyncio.Future[Any]] = set()
        self._refusal: CortexError | None = ShuttingDownError("The engine is not started.")
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None

    @property
    def failure(self) -> str | None:
        """Why the engine cannot serve, as a sentence; None while it can."""
        return None if self._refusal is None else self._refusal.message

    @property
    def active_jobs(self) -> int:
        """Jobs on which work has begun."""
        return sum(stream.has_begun for stream in self._streams.values())

    @property
    def waiting_jobs(self) -> int:
        """Jobs that were accepted and not begun."""
        return len(self._streams) - self.active_jobs

    async def start(self) -> None:
        """Starts the thread; a host starts once."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="cortex-engine", daemon=True)
        self._refusal = None
        self._thread.start()

    async def stop(self) -> None:
        """Ends what runs with `ShuttingDownError`, frees the engine and waits for its thread."""
        if self._thread is None:
            return
        self._refuse(ShuttingDownError("The engine is stopping. Send the request again later."))
        self._commands.put(None)
        await asyncio.to_thread(self._thread.join)
        self._end_all()

    async def load(self, files: ModelFiles, /) -> LanguageModel:
        """Loads a model between two steps.

        Raises:
            CortexError: See `Engine.load`.
        """
        language_model = await self._call(lambda engine: engine.load(files))
        self.language_models[language_model.id] = language_model
        return language_model

    async def unload(self, model_id: ModelId, /) -> None:
        """Unloads a model between two steps; its memory is free when this returns."""
        # Nothing on this side may keep the memory that the engine is about to free.
        self.language_models.pop(model_id, None)
        await self._call(lambda engine: self._publish(engine, engine.unload(model_id)))

    def submit(self, make_job: Callable[[JobId], Job], /, *, started: GenerationStarted) -> tuple[JobId, JobStream]:
        """Hands a job to the engine and returns where its events arrive, `started` before all others.

        Raises:
            GeneratorBusyError: Too many jobs wait.
            GeneratorFailedError: The engine has died.
            ShuttingDownError: The engine is stopping.
        """
        self._require_running()
        if self.waiting_jobs >= MAX_WAITING_JOBS:
            raise GeneratorBusyError(
                f"{MAX_WAITING_JOBS} requests are waiting. Try again shortly.", retry_after_s=_BUSY_RETRY_AFTER_S
            )
        job = make_job(JobId(next(self._job_ids)))
        stream = self._streams[job.id] = JobStream(started)
        self._commands.put(lambda engine: self._publish(engine, engine.admit(job)))
        return job.id, stream

    def cancel(self, job_id: JobId, /) -> None:
        """Drops a job before the engine's next step; a job that is over is left alone."""
        if self._streams.pop(job_id, None) is not None:
            self._commands.put(lambda engine: self._publish(engine, engine.cancel(job_id)))

    # The loop's side.

    async def _call(self, function: Callable[[Engine], ResultT]) -> ResultT:
        self._require_running()
        answer: asyncio.Future[ResultT] = self._loop.create_future()
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

        def command(engine: Engine) -> None:
            settle = _settlement(answer, function, engine)
            # Whoever is answered finds the engine's memory as this command left it.
            self._publish(engine, ())
            self._post(lambda: None if answer.done() else settle())

        self._commands.put(command)
        return await answer

    def _require_running(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _refuse(self, reason: CortexError) -> None:
        self._refusal = self._refusal or reason

    def _deliver(self, outputs: Sequence[JobOutput], memory_use: MemoryUse) -> None:
        self.memory_use = memory_use
        for output in outputs:
            stream = self._streams.get(output.job_id)
            if stream is None:
                continue  # cancelled meanwhile
            stream.put(output.output)
            if output.is_last:
                del self._streams[output.job_id]

    def _end_all(self) -> None:
        """Lets nobody wait for an engine that has ended."""
        assert self._refusal is not None
        for stream in self._streams.values():
            stream.put(self._refusal)
        self._streams.clear()
        for answer in list(self._answers):
            if not answer.done():
                answer.set_exception(self._refusal)
        self.language_models.clear()

    def _die(self, error: BaseException) -> None:
        self._refuse(GeneratorFailedError(f"The engine has died: {error!r}. Restart Cortex."))
        self._end_all()

    # The thread's side.

    def _run(self) -> None:
        try:
            self._work(self._make_engine())
        except BaseException as error:
            logger.exception("The engine's thread ended")
            self._post(partial(self._die, error))

    def _work(self, engine: Engine) -> None:
        try:
            while self._obey(engine):
                self._publish(engine, engine.step())
        finally:
            engine.close()

    def _obey(self, engine: Engine) -> bool:
        """Carries out what is waiting, and waits for a command when the engine has nothing to do."""
        while not (self._commands.empty() and engine.has_work):
            command = self._commands.get()
            if command is None:
                return False
            command(engine)
        return True

    def _publish(self, engine: Engine, outputs: Sequence[JobOutput]) -> None:
        memory_use = engine.memory_use()
        self._post(lambda: self._deliver(outputs, memory_use))

    def _post(self, callback: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop closed without `stop`: nobody listens
            self._loop.call_soon_threadsafe(callback)


def _settlement(
    answer: "asyncio.Future[ResultT]", function: Callable[[Engine], ResultT], engine: Engine
) -> Callable[[], None]:
    """Calls `function` and returns what hands its outcome to `answer`."""
    try:
        result = function(engine)
    except CortexError as error:
        return partial(answer.set_exception, error)
    except Exception as error:
        logger.exception("The engine failed")
        failure = GeneratorFailedError(f"The engine failed: {error}")
        failure.__cause__ = error
        return partial(answer.set_exception, failure)
    return partial(answer.set_result, result)
