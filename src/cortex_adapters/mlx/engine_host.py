"""Keeps an engine running, and its jobs going on when it had to be started again.

The host holds what an engine must not lose: which models are loaded, which jobs are open and how far each is. An engine
that ends on its own is replaced; the new one loads the same models and goes on with the same jobs, so that readers see
a pause. A job that engines keep dying of is found by running the suspects one at a time, and only that job ends.

An engine that has nothing left to hold is retired, if its end gives memory back: unloading frees the arrays, but not
what libraries, allocators and compiled kernels took along the way.
"""

import asyncio
import itertools
import logging
from collections import deque
from dataclasses import dataclass
from typing import Any, assert_never

from cortex_adapters.mlx.device import MemoryUse
from cortex_adapters.mlx.engine_link import EngineEnd, EngineLink
from cortex_adapters.mlx.engine_messages import (
    CallFailed,
    CancelJob,
    EngineReady,
    EngineStepped,
    JobAccepted,
    LoadModel,
    ModelLoaded,
    ModelUnloaded,
    Report,
    SubmitJob,
    UnloadModel,
)
from cortex_adapters.mlx.jobs import Job, JobId, JobStep
from cortex_adapters.mlx.open_job import OpenJob
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheUse
from cortex_adapters.mlx.suspicion import MAX_SUSPICION, died_of_call, died_of_job, suspicion_by
from cortex_domain.errors import (
    CortexError,
    GeneratorBusyError,
    GeneratorFailedError,
    ModelNotLoadedError,
    ShuttingDownError,
    UnavailableReason,
)
from cortex_domain.language_models import LoadedModel, LoadOptions, ModelFiles, ModelId

logger = logging.getLogger(__name__)

MAX_WAITING_JOBS = 512
MAX_WAITING_JOBS_OF_OWNER = 256
"""Less than all, so that one owner alone cannot keep the others out."""
FAILED_START_PAUSES_S = (0.1, 0.5)
"""Seconds between starts that fail one after the other; after one more failure there is no further start."""
_BUSY_RETRY_AFTER_S = 2.0
_RESTART_RETRY_AFTER_S = 5.0


@dataclass(slots=True, kw_only=True)
class _HeldModel:
    files: ModelFiles
    model: LoadedModel
    suspicion: int = 0


@dataclass(slots=True, kw_only=True)
class _Call:
    command: LoadModel | UnloadModel
    answer: asyncio.Future[LoadedModel | None]
    is_sent: bool = False
    suspicion: int = 0


class EngineHost:
    """Runs one engine at a time over a link.

    Every method belongs to the event loop on which `start` was awaited.

    Attributes:
        memory_use: What MLX held after the engine's last step or command.
        prefix_cache_use: What the engine keeps of computed prompts, and what that was good for since it was started.
        restarts: How many engines were started in place of one that had ended on its own.
    """

    def __init__(self, link: EngineLink) -> None:
        self.memory_use = MemoryUse()
        self.prefix_cache_use = PrefixCacheUse()
        self.restarts = 0
        self._link = link
        self._models: dict[ModelId, _HeldModel] = {}
        self._jobs: dict[JobId, OpenJob] = {}
        self._calls: dict[int, _Call] = {}
        self._held_jobs: deque[JobId] = deque()
        self._lost: dict[ModelId, str] = {}
        self._numbers = itertools.count(1)
        self._refusal: CortexError | None = ShuttingDownError("The engine is not started.")
        self._trouble: str | None = None
        self._is_up = False
        self._has_loaded = False
        self._ready: asyncio.Future[None]
        self._retired: asyncio.Future[None]
        self._ended: asyncio.Future[EngineEnd]
        self._supervision: asyncio.Task[None] | None = None

    @property
    def failure(self) -> str | None:
        """Why the engine cannot serve, as a sentence; None while it can."""
        if self._refusal is not None:
            return self._refusal.message
        return self._trouble or next(iter(self._lost.values()), None)

    @property
    def models(self) -> list[LoadedModel]:
        """The models in memory, in the order in which they were loaded."""
        return [held.model for held in self._models.values()]

    @property
    def active_jobs(self) -> int:
        """Jobs on which work has begun."""
        return sum(job.stream.has_begun for job in self._jobs.values())

    @property
    def waiting_jobs(self) -> int:
        """Jobs that were submitted and not begun."""
        return len(self._jobs) - self.active_jobs

    async def start(self) -> None:
        """Starts the engine; a host starts once.

        Raises:
            GeneratorFailedError: No engine can be started.
            ShuttingDownError: It was stopped meanwhile.
        """
        self._refusal = None
        is_up = asyncio.get_running_loop().create_future()
        self._supervision = asyncio.create_task(self._supervise(is_up))
        await _first_of(is_up, self._supervision)
        self._require_running()

    async def stop(self) -> None:
        """Ends what runs with `ShuttingDownError`, frees the engine and waits until it has ended."""
        if self._supervision is None:
            return
        self._refusal = self._refusal or ShuttingDownError(
            "The engine is stopping. Send the request again later.", retry_after_s=_RESTART_RETRY_AFTER_S
        )
        # First, because otherwise it could start another engine behind the one that is being stopped.
        self._supervision.cancel()
        await asyncio.wait({self._supervision})
        await self._link.stop()
        self._end_all(self._refusal)

    async def load(self, files: ModelFiles, options: LoadOptions | None = None, /) -> LoadedModel:
        """Loads a model between two steps; one that is loaded is returned.

        Raises:
            InvalidModelError: The files are not a model that mlx-lm runs, or loading them ends the engine.
            InsufficientMemoryError: The model does not fit.
            LoadOptionRefusedError: An option does not fit the model.
            ModelLoadedOtherwiseError: It is loaded, with other options.
            GeneratorFailedError: The engine failed.
            ShuttingDownError: The engine is stopping.
        """
        held = self._models.get(files.model_id)
        if held is not None:
            held.model.require_options(options)
            return held.model
        model = await self._call(LoadModel(call_id=next(self._numbers), files=files, options=options))
        assert model is not None
        return model

    async def unload(self, model_id: ModelId, /) -> None:
        """Unloads a model between two steps; its memory is free when this returns.

        With the last model goes the engine itself, if that gives more memory back; a new one takes its place.

        Raises:
            GeneratorFailedError: The engine failed.
            ShuttingDownError: The engine is stopping.
        """
        # From here on no new engine would load it again.
        self._forget(model_id)
        await self._call(UnloadModel(call_id=next(self._numbers), model_id=model_id))
        if self._retired.done():
            await _first_of(self._ended)

    def new_job_id(self) -> JobId:
        """Draws an id that no other job of this host has."""
        return JobId(next(self._numbers))

    def submit(self, job: Job, /) -> OpenJob:
        """Hands a job to the engine, with its copies.

        Raises:
            GeneratorBusyError: Too many jobs wait, or too many of this owner.
            GeneratorFailedError: The engine has died for good.
            ShuttingDownError: The engine is stopping.
        """
        self._require_room_for(job)
        open_job = OpenJob(job)
        self._take_in(open_job)
        return open_job

    def resume(self, open_job: OpenJob, /) -> None:
        """Goes on with a job that was cancelled, as a new job from where it was; one that is over stays as it is.

        Raises:
            ModelNotLoadedError: Its model is not in memory.
            GeneratorBusyError: Too many jobs wait.
            GeneratorFailedError: The engine has died for good.
            ShuttingDownError: The engine is stopping.
        """
        if open_job.is_over:
            return
        self._require_room_for(open_job.job)
        if open_job.job.model_id not in self._models:
            raise ModelNotLoadedError(model_id=open_job.job.model_id)
        # What the engine still says of the old one must not be taken for news of this one.
        open_job.become(self.new_job_id())
        self._take_in(open_job)

    def cancel(self, job_id: JobId, /) -> None:
        """Drops a job before the engine's next step; a job that is over is left alone."""
        if self._jobs.pop(job_id, None) is None:
            return
        if self._is_up:
            self._link.send(CancelJob(job_id=job_id))
        self._send_held_jobs()

    def _take_in(self, open_job: OpenJob) -> None:
        self._jobs |= {member.job.id: member for member in open_job.sent_together}
        self._held_jobs.append(open_job.job.id)
        self._send_held_jobs()

    def _require_room_for(self, job: Job) -> None:
        self._require_running()
        waiting = [open_job.job.owner for open_job in self._jobs.values() if not open_job.stream.has_begun]
        if len(waiting) + len(job.copies) >= MAX_WAITING_JOBS:
            raise _queue_full(f"{len(waiting)} requests are waiting. Try again shortly.")
        if (of_owner := waiting.count(job.owner)) + len(job.copies) >= MAX_WAITING_JOBS_OF_OWNER:
            raise _queue_full(f"{of_owner} requests of this owner are waiting. Try again when some have been answered.")

    # What callers wait for.

    async def _call(self, command: LoadModel | UnloadModel) -> LoadedModel | None:
        """Has a command carried out; also when the caller leaves, so that the host knows what the engine has."""
        self._require_running()
        call = self._new_call(command)
        if self._is_up:
            self._send_call(call)
        return await call.answer

    def _new_call(self, command: LoadModel | UnloadModel) -> _Call:
        call = _Call(command=command, answer=asyncio.get_running_loop().create_future())
        self._calls[command.call_id] = call
        return call

    def _require_running(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _end_all(self, reason: CortexError) -> None:
        for job in self._jobs.values():
            job.fail(reason)
        for call in self._calls.values():
            if not call.answer.done():
                call.answer.set_exception(reason)
        self._jobs.clear()
        self._calls.clear()
        self._models.clear()

    def _forget(self, model_id: ModelId) -> None:
        self._models.pop(model_id, None)
        self._lost.pop(model_id, None)

    # What the engine says.

    def _take(self, report: Report) -> None:
        match report:
            case EngineReady():
                self._ready.set_result(None)
            case ModelLoaded() | ModelUnloaded() | CallFailed():
                self.memory_use = report.memory_use
                if isinstance(report, ModelUnloaded):
                    self.prefix_cache_use = report.prefix_cache_use
                self._take_answer(report)
            case JobAccepted():
                if report.job_id in self._jobs:
                    self._jobs[report.job_id].accept(report.prompt)
            case EngineStepped():
                self.memory_use = report.memory_use
                self.prefix_cache_use = report.prefix_cache_use
                for step in report.steps:
                    self._take_step(step)
            case _:
                assert_never(report)

    def _take_answer(self, report: ModelLoaded | ModelUnloaded | CallFailed) -> None:
        call = self._calls.pop(report.call_id, None)
        if call is None:
            return
        self._keep_account(call.command, report)
        if call.answer.done():
            return  # the caller has left
        if isinstance(report, CallFailed):
            call.answer.set_exception(report.error)
        else:
            call.answer.set_result(report.model if isinstance(report, ModelLoaded) else None)

    def _keep_account(self, command: LoadModel | UnloadModel, report: ModelLoaded | ModelUnloaded | CallFailed) -> None:
        if isinstance(command, LoadModel) and isinstance(report, ModelLoaded):
            self._models[report.model.id] = _HeldModel(files=command.files, model=report.model)
            self._lost.pop(report.model.id, None)
            self._has_loaded = True
        elif isinstance(command, UnloadModel):
            # Once more: a load that was on its way when the unload was asked for has been answered since.
            self._forget(command.model_id)
            self._retire_idle_engine()

    def _retire_idle_engine(self) -> None:
        is_idle = self._is_up and not (self._models or self._jobs or self._calls)
        if is_idle and self._has_loaded and self._link.returns_memory:
            self._is_up = False
            self.memory_use = MemoryUse()
            self._retired.set_result(None)

    def _take_step(self, step: JobStep) -> None:
        job = self._jobs.get(step.job_id)
        if job is None:
            return  # cancelled meanwhile
        job.take(step)
        if step.is_last:
            del self._jobs[step.job_id]
        if step.is_last or step.tokens:
            self._send_held_jobs()

    # Engines that end.

    async def _supervise(self, is_up: asyncio.Future[None]) -> None:
        failed_starts = 0
        while self._refusal is None:
            ended = await self._run_engine(is_up)
            self._is_up = False
            self.memory_use = MemoryUse()
            self.prefix_cache_use = PrefixCacheUse()
            if self._refusal is not None:
                return
            if self._retired.done():
                continue
            failed_starts = 0 if self._ready.done() else failed_starts + 1
            logger.error("The engine %s", ended.description)
            if failed_starts > len(FAILED_START_PAUSES_S):
                self._give_up(ended)
                return
            self._trouble = f"The engine {ended.description} and is being started again."
            self._blame(ended)
            if failed_starts:
                await asyncio.sleep(FAILED_START_PAUSES_S[failed_starts - 1])
            self.restarts += 1

    async def _run_engine(self, is_up: asyncio.Future[None]) -> EngineEnd:
        """Runs one engine from start to end and returns how it ended."""
        loop = asyncio.get_running_loop()
        self._ready, self._retired, self._ended = loop.create_future(), loop.create_future(), loop.create_future()
        self._has_loaded = False
        try:
            await self._link.start(self._take, self._ended.set_result)
        except OSError as error:
            return EngineEnd(description=f"cannot be started: {error}", is_from_outside=True)
        await _first_of(self._ready, self._ended)
        if self._ready.done():
            await self._restore()
            if not is_up.done():
                is_up.set_result(None)
        # Not awaited itself: to cancel this would cancel a future that the link still has to set.
        await _first_of(self._ended, self._retired)
        if not self._ended.done():
            await self._link.stop()
        return self._ended.result()

    async def _restore(self) -> None:
        """Brings a new engine to where the last one was."""
        for held in list(self._models.values()):
            await self._reload(held)
        for call in list(self._calls.values()):
            await self._carry_out_alone(call)
        if self._ended.done():
            return
        self._is_up = True
        self._trouble = None
        for call in self._calls.values():
            self._send_call(call)
        to_send = [job for job in self._jobs.values() if not job.goes_with_leader]
        self._held_jobs = deque(job.job.id for job in sorted(to_send, key=lambda job: job.suspicion > 0))
        self._send_held_jobs()

    async def _reload(self, held: _HeldModel) -> None:
        if self._ended.done():
            return
        call = self._new_call(LoadModel(call_id=next(self._numbers), files=held.files, options=held.model.options))
        try:
            await self._carry_out_alone(call)
        finally:
            self._calls.pop(call.command.call_id, None)
        if not call.answer.done():
            ended = self._ended.result()
            held.suspicion += suspicion_by(ended)
            if held.suspicion >= MAX_SUSPICION:
                self._lose(held, f"the engine {ended.description}")
        elif (error := call.answer.exception()) is not None:
            self._lose(held, str(error))

    async def _carry_out_alone(self, call: _Call) -> None:
        """Sends a call while the engine has nothing else to do, so that it is known whether the engine ends of it."""
        if not self._ended.done():
            self._send_call(call)
            await _first_of(call.answer, self._ended)

    def _lose(self, held: _HeldModel, reason: str) -> None:
        if self._models.pop(held.model.id, None) is None:
            return  # unloaded meanwhile
        self._lost[held.model.id] = f"The model {held.model.id!r} could not be loaded again: {reason}"
        for job_id, job in list(self._jobs.items()):
            if job.job.model_id == held.model.id:
                job.fail(GeneratorFailedError(self._lost[held.model.id]))
                del self._jobs[job_id]

    def _give_up(self, ended: EngineEnd) -> None:
        self._refusal = GeneratorFailedError(
            f"The engine {ended.description}, and so did every new one. Restart Cortex."
        )
        self._end_all(self._refusal)

    # Jobs and calls that engines die of.

    def _send_call(self, call: _Call) -> None:
        if not call.is_sent:
            call.is_sent = True
            self._link.send(call.command)

    def _send_held_jobs(self) -> None:
        while self._is_up and self._held_jobs:
            job = self._jobs.get(self._held_jobs[0])
            if job is not None and not self._may_join(job):
                return
            self._held_jobs.popleft()
            if job is not None:
                for member in job.sent_together:
                    member.is_fruitless = True
                self._link.send(SubmitJob(job=job.job, progress=job.progress))

    def _may_join(self, job: OpenJob) -> bool:
        """Keeps suspects apart from all that has drawn no token yet: if the engine ends again, it is known of which."""
        return not any(other.is_fruitless and (job.suspicion or other.suspicion) for other in self._jobs.values())

    def _blame(self, ended: EngineEnd) -> None:
        """Suspects what the engine had and did not finish, or not even begin to answer."""
        for job in [job for job in self._jobs.values() if job.is_fruitless]:
            job.is_fruitless = False
            job.suspicion += suspicion_by(ended)
            if job.suspicion >= MAX_SUSPICION:
                del self._jobs[job.job.id]
                job.fail(died_of_job(ended))
        for call in [call for call in self._calls.values() if call.is_sent]:
            call.is_sent = False
            call.suspicion += suspicion_by(ended)
            if call.suspicion >= MAX_SUSPICION:
                self._refuse_call(call, ended)

    def _refuse_call(self, call: _Call, ended: EngineEnd) -> None:
        del self._calls[call.command.call_id]
        if not call.answer.done():
            call.answer.set_exception(died_of_call(call.command, ended))


def _queue_full(message: str) -> GeneratorBusyError:
    return GeneratorBusyError(message, reason=UnavailableReason.QUEUE_FULL, retry_after_s=_BUSY_RETRY_AFTER_S)


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
