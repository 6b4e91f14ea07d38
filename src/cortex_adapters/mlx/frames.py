"""Engine messages as frames: a length of four bytes, big end first, then msgpack.

Every value says what it is, and only the classes listed here can be made from what arrives. Nothing is pickled.
"""

import struct
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

import msgpack

from cortex_adapters.mlx import engine_messages, jobs
from cortex_adapters.mlx.device import MemoryUse
from cortex_adapters.mlx.grammars import Grammar
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheUse
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_adapters.mlx.worker_log import WorkerLogged
from cortex_domain import errors, events, generation, language_models, messages, token_logprobs
from cortex_domain.errors import CortexError

HEADER = struct.Struct(">I")

_TYPE = "$"
# A path that is no valid text reaches Python with lone surrogates in it.
_UNICODE_ERRORS = "surrogatepass"
_DATACLASSES = (
    engine_messages.LoadModel,
    engine_messages.UnloadModel,
    engine_messages.SubmitJob,
    engine_messages.CancelJob,
    engine_messages.StopEngine,
    engine_messages.EngineReady,
    engine_messages.ModelLoaded,
    engine_messages.ModelUnloaded,
    engine_messages.CallFailed,
    engine_messages.JobAccepted,
    engine_messages.EngineStepped,
    jobs.Job,
    jobs.JobProgress,
    jobs.JobStep,
    Grammar,
    ToolUse,
    MemoryUse,
    PrefixCacheUse,
    WorkerLogged,
    generation.SamplingParameters,
    generation.TokenUsage,
    generation.CacheMiss,
    generation.GenerationTimings,
    events.PrefillProgress,
    events.ReasoningDelta,
    events.TextDelta,
    events.ToolCallDelta,
    events.ToolCallFinished,
    events.GenerationFinished,
    language_models.ModelFiles,
    language_models.LoadOptions,
    language_models.LoadedModel,
    language_models.MemoryEstimate,
    token_logprobs.TokenLogprob,
    messages.Message,
    messages.TextPart,
    messages.ReasoningPart,
    messages.ToolCallPart,
    messages.ToolResultPart,
)
_ENUMS = (
    errors.UnavailableReason,
    generation.CacheMissReason,
    generation.FinishReason,
    generation.ReasoningEffort,
    language_models.Capability,
    generation.Priority,
    messages.Role,
)
_ERRORS = tuple(value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, CortexError))
_CLASSES: Mapping[str, Any] = {value.__name__: value for value in (*_DATACLASSES, *_ENUMS, *_ERRORS)}
_FIELDS: Mapping[type, tuple[str, ...]] = {
    cls: tuple(field.name for field in fields(cls) if field.init) for cls in _DATACLASSES
}


def encode_frame(message: engine_messages.Command | engine_messages.Report | WorkerLogged, /) -> bytes:
    """Writes a message as one frame, header included."""
    body: bytes = msgpack.packb(message, default=_to_plain, strict_types=True, unicode_errors=_UNICODE_ERRORS)
    return HEADER.pack(len(body)) + body


def decode_body(body: bytes, /) -> Any:  # noqa: ANN401 - whatever class the sender says
    """Reads the message of a frame, given without its header.

    Raises:
        ValueError: The body is no message.
    """
    try:
        return msgpack.unpackb(
            body, object_hook=_from_plain, use_list=False, strict_map_key=False, unicode_errors=_UNICODE_ERRORS
        )
    except (LookupError, TypeError) as error:
        raise ValueError(f"This is no message of an engine or its host: {error!r}") from error


def _to_plain(value: object) -> object:
    # In the order of how often they come: a worker writes hundreds of them for each token of a large batch.
    if type(value) is tuple:
        return list(value)
    if type(value) in _FIELDS:
        return {_TYPE: type(value).__name__, **{name: getattr(value, name) for name in _FIELDS[type(value)]}}
    return dict(value) if isinstance(value, Mapping) else _to_named(value)


def _to_named(value: object) -> dict[str, object]:
    if isinstance(value, Enum):
        return {_TYPE: type(value).__name__, "value": value.value}
    if isinstance(value, CortexError):
        return {_TYPE: type(value).__name__, "facts": vars(value)}
    if isinstance(value, PurePath):
        return {_TYPE: "Path", "value": str(value)}
    if isinstance(value, int):  # one that msgpack's 64 bits do not hold
        return {_TYPE: "int", "value": hex(value)}
    raise TypeError(f"{type(value).__name__} cannot be sent to or from an engine")


def _from_plain(plain: dict[Any, Any]) -> object:
    if _TYPE not in plain:
        return plain
    name = plain.pop(_TYPE)
    if name == "Path":
        return Path(plain["value"])
    if name == "int":
        return int(plain["value"], 16)
    cls = _CLASSES[name]
    if issubclass(cls, Enum):
        return cls(plain["value"])
    if issubclass(cls, CortexError):
        return _error(cls, plain["facts"])
    return cls(**plain)


def _error(cls: type[CortexError], facts: Mapping[str, Any]) -> CortexError:
    # Errors build their message from their facts; what arrives has both.
    error = cls.__new__(cls)
    error.args = (facts["message"],)
    vars(error).update(facts)
    return error
