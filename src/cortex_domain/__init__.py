"""The domain of Cortex: values, events, errors, ports and use cases; the standard library only.

What most programs need is importable from here; each module documents its own subject.
"""

from cortex_domain.engine_status import Device, EngineStatus
from cortex_domain.errors import CortexError, RequestRefusedError, ResourceUnavailableError
from cortex_domain.event_stream import collect, collect_pull
from cortex_domain.events import (
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    PrefillProgress,
    PullEvent,
    PullFinished,
    PullProgress,
    PullStarted,
    TextDelta,
)
from cortex_domain.generation import (
    CacheMiss,
    CacheMissReason,
    FinishReason,
    GenerationRequest,
    GenerationResult,
    GenerationTimings,
    Priority,
    SamplingParameters,
    TokenUsage,
)
from cortex_domain.language_models import (
    Capability,
    LoadedModel,
    LoadOptions,
    MemoryEstimate,
    ModelDescriptor,
    ModelFiles,
    ModelId,
    ModelState,
    Residency,
    parse_model_id,
)
from cortex_domain.messages import (
    AudioPart,
    ImagePart,
    Message,
    Role,
    TextPart,
    assistant_message,
    system_message,
    user_message,
)

__all__ = [
    "AudioPart",
    "CacheMiss",
    "CacheMissReason",
    "Capability",
    "CortexError",
    "Device",
    "EngineStatus",
    "FinishReason",
    "GenerationEvent",
    "GenerationFinished",
    "GenerationRequest",
    "GenerationResult",
    "GenerationStarted",
    "GenerationTimings",
    "ImagePart",
    "LoadOptions",
    "LoadedModel",
    "MemoryEstimate",
    "Message",
    "ModelDescriptor",
    "ModelFiles",
    "ModelId",
    "ModelState",
    "PrefillProgress",
    "Priority",
    "PullEvent",
    "PullFinished",
    "PullProgress",
    "PullStarted",
    "RequestRefusedError",
    "Residency",
    "ResourceUnavailableError",
    "Role",
    "SamplingParameters",
    "TextDelta",
    "TextPart",
    "TokenUsage",
    "assistant_message",
    "collect",
    "collect_pull",
    "parse_model_id",
    "system_message",
    "user_message",
]
