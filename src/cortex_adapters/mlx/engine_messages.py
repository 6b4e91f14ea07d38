"""What a host and its engine say to each other."""

from dataclasses import dataclass, field
from typing import Literal

from cortex_adapters.mlx.device import MemoryUse
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress, JobStep
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheUse
from cortex_domain.errors import CortexError
from cortex_domain.language_models import LoadedModel, LoadOptions, ModelFiles, ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadModel:
    """Load a model; answered by `ModelLoaded` or `CallFailed`."""

    type: Literal["load"] = "load"
    call_id: int
    files: ModelFiles
    options: LoadOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnloadModel:
    """Free a model and end its jobs; answered by `ModelUnloaded` or `CallFailed`."""

    type: Literal["unload"] = "unload"
    call_id: int
    model_id: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitJob:
    """Run a job, from the start or from where another engine left it; answered by `JobAccepted` or an error step."""

    type: Literal["submit"] = "submit"
    job: Job
    progress: JobProgress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelJob:
    """Drop a job; not answered."""

    type: Literal["cancel"] = "cancel"
    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEngine:
    """Drop everything and end; not answered."""

    type: Literal["stop"] = "stop"


Command = LoadModel | UnloadModel | SubmitJob | CancelJob | StopEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReady:
    """The engine takes commands; said once, first."""

    type: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoaded:
    """Answers `LoadModel`."""

    type: Literal["loaded"] = "loaded"
    call_id: int
    model: LoadedModel
    memory_use: MemoryUse


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUnloaded:
    """Answers `UnloadModel`; steps that end the model's jobs come before it."""

    type: Literal["unloaded"] = "unloaded"
    call_id: int
    memory_use: MemoryUse
    prefix_cache_use: PrefixCacheUse = field(default_factory=PrefixCacheUse)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    """Answers `LoadModel` or `UnloadModel`."""

    type: Literal["failed"] = "failed"
    call_id: int
    error: CortexError
    memory_use: MemoryUse


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccepted:
    """A job was accepted, with its copies; its prompt is rendered, and no work on it has begun."""

    type: Literal["accepted"] = "accepted"
    job_id: JobId
    prompt: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStepped:
    """What one step did, for all jobs that it did anything for."""

    type: Literal["stepped"] = "stepped"
    steps: tuple[JobStep, ...]
    memory_use: MemoryUse
    prefix_cache_use: PrefixCacheUse = field(default_factory=PrefixCacheUse)


Report = EngineReady | ModelLoaded | ModelUnloaded | CallFailed | JobAccepted | EngineStepped
